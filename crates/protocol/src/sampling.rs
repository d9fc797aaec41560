//! How the next token is drawn.

use serde::{Deserialize, Serialize};

/// Complete sampling parameters of one job. Together with the logits they decide every token: the draw is a pure function
/// of (seed, position), so a resumed job goes on exactly where it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f32,
    /// Keeps the smallest set of tokens whose probabilities sum to at least this; 1 keeps all.
    pub top_p: f32,
    /// Keeps the k likeliest tokens; 0 keeps all.
    pub top_k: u32,
    /// Keeps tokens at least this fraction as likely as the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens in prompt and completion; 1 is off (Keskar 2019, as in transformers).
    pub repetition_penalty: f32,
    /// Subtracted once from the logit of each token that the completion holds (OpenAI).
    pub presence_penalty: f32,
    /// Subtracted from the logit of a token for each time the completion holds it (OpenAI).
    pub frequency_penalty: f32,
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Greedy decoding.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }
}

/// What a request says about sampling. Absent fields come from the model's generation config.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingOverrides {
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub top_k: Option<u32>,
    pub min_p: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub presence_penalty: Option<f32>,
    pub frequency_penalty: Option<f32>,
    pub seed: Option<u64>,
}

impl SamplingOverrides {
    /// Fills what is absent from `defaults`, and the seed from `fresh_seed`.
    pub fn resolve(&self, defaults: &Sampling, fresh_seed: impl FnOnce() -> u64) -> Sampling {
        Sampling {
            temperature: self.temperature.unwrap_or(defaults.temperature),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            top_k: self.top_k.unwrap_or(defaults.top_k),
            min_p: self.min_p.unwrap_or(defaults.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(defaults.repetition_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(defaults.presence_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(defaults.frequency_penalty),
            seed: self.seed.unwrap_or_else(fresh_seed),
        }
    }

    /// The first parameter that lies outside of its range, with the range in words.
    pub fn check(&self) -> Result<(), String> {
        let ranges: [(&str, Option<f32>, f32, f32); 6] = [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("repetition_penalty", self.repetition_penalty, 0.01, 10.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
        ];
        for (name, value, low, high) in ranges {
            if let Some(value) = value
                && !(low..=high).contains(&value)
            {
                return Err(format!("{name} must be between {low} and {high}, not {value}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_come_from_the_model() {
        let model = Sampling { temperature: 0.7, top_k: 20, ..Sampling::default() };
        let request = SamplingOverrides { top_k: Some(5), ..SamplingOverrides::default() };
        let sampling = request.resolve(&model, || 42);
        assert_eq!((sampling.temperature, sampling.top_k, sampling.seed), (0.7, 5, 42));
    }

    #[test]
    fn out_of_range_is_named() {
        let request = SamplingOverrides { top_p: Some(1.5), ..SamplingOverrides::default() };
        assert_eq!(request.check().unwrap_err(), "top_p must be between 0 and 1, not 1.5");
        let nan = SamplingOverrides { temperature: Some(f32::NAN), ..SamplingOverrides::default() };
        assert!(nan.check().is_err());
    }
}
