//! Half precision to f32, in operations that vectorise.

use half::{bf16, f16};

/// The same number as f32, exactly; infinities and NaN stay what they are.
#[inline(always)]
pub(crate) fn widen_f16(number: f16) -> f32 {
    /// 2 to the power of 112, the difference of the exponents' biases.
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    const INFINITE: u32 = 0x7c00;
    let bits = u32::from(number.to_bits());
    let magnitude = bits & 0x7fff;
    let sign = (bits & 0x8000) << 16;
    let finite = (f32::from_bits(magnitude << 13) * REBIAS).to_bits();
    let exponent = if magnitude >= INFINITE { 0xff << 23 } else { 0 };
    f32::from_bits(finite | exponent | sign)
}

/// The same number as f32, exactly.
#[inline(always)]
pub(crate) fn widen_bf16(number: bf16) -> f32 {
    f32::from_bits(u32::from(number.to_bits()) << 16)
}

/// `numbers` as f32, in `buffer`. A loop over places, since the methods of `Vec` are not inlined to where wide vectors are known.
#[inline(always)]
pub(crate) fn widen_all<'a, T: Copy>(numbers: &[T], buffer: &'a mut Vec<f32>, widen: impl Fn(T) -> f32) -> &'a [f32] {
    buffer.resize(numbers.len(), 0.0);
    for (place, number) in buffer.iter_mut().zip(numbers) {
        *place = widen(*number);
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let number = f16::from_bits(bits);
            let wide = widen_f16(number);
            assert!(wide.to_bits() == number.to_f32().to_bits() || (wide.is_nan() && number.is_nan()), "{bits:#x}");
        }
    }
}
