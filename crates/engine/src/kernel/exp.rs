//! The exponential function, in operations that vectorise and that give the same bits everywhere.

/// Beyond these the result would overflow, or lose its exponent.
const HIGHEST: f32 = 88.0;
const LOWEST: f32 = -87.0;
/// Adding it rounds to a whole number, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts, the first exact in products with small whole numbers.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// e to the power of `x`, within 2 units in the last place; `x` below -87 counts as -87, above 88 as 88. NaN stays NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = x.clamp(LOWEST, HIGHEST);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (x - whole * LN2_HIGH) - whole * LN2_LOW;
    // The coefficients of Cephes' expf.
    let mut power = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        power = power * rest + coefficient;
    }
    let fraction = power * rest * rest + rest + 1.0;
    let exponent = shifted.to_bits() << 23;
    f32::from_bits(fraction.to_bits().wrapping_add(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_function() {
        for step in -87_000..=88_000 {
            let x = step as f32 / 1000.0;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!(((ours - exact) / exact).abs() < 2.5e-7, "{x}: {ours} {exact}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }
}
