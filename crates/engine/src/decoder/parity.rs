//! Against transformers: models and expectations that `scripts/make_fixtures.py` wrote.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shammah_protocol::{Pulse, TokenId};

use super::{Computed, Decoder, Segment, Wants};
use crate::config;
use crate::pages::{PAGE_TOKENS, Page, PageShape};
use crate::settings::KvType;
use crate::weights::SafetensorsWeights;

const MODELS: [&str; 3] = ["tied-3-heads", "untied-5-heads", "untied-wide-heads"];
const TOLERANCE: f32 = 2e-4;

#[derive(serde::Deserialize)]
struct Expected {
    prompt: Vec<TokenId>,
    greedy: Vec<TokenId>,
}

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(model)
}

fn decoder(model: &str) -> Decoder {
    let folder = folder(model);
    let config = config::from_json(&std::fs::read_to_string(folder.join("config.json")).unwrap(), model).unwrap();
    Decoder::load(config, &mut SafetensorsWeights::open(&folder, model, &|_| {}).unwrap()).unwrap()
}

fn expected(model: &str) -> Expected {
    serde_json::from_str(&std::fs::read_to_string(folder(model).join("expected.json")).unwrap()).unwrap()
}

/// A sequence of its own.
struct Run<'a> {
    decoder: &'a Decoder,
    pages: Vec<Arc<Page>>,
    computed: usize,
}

impl<'a> Run<'a> {
    fn new(decoder: &'a Decoder) -> Self {
        Self { decoder, pages: Vec::new(), computed: 0 }
    }

    fn segment<'s>(&'s mut self, tokens: &'s [TokenId]) -> Segment<'s> {
        let config = self.decoder.config();
        let shape = PageShape { layers: config.layers, kv_heads: config.kv_heads, head_dim: config.head_dim, kv_type: KvType::F32 };
        let start = self.computed;
        self.computed += tokens.len();
        self.pages.resize_with(self.computed.div_ceil(PAGE_TOKENS), || Arc::new(Page::new(shape, None)));
        Segment { tokens, start, pages: &mut self.pages, wants: Wants::Logits }
    }

    fn logits(&mut self, tokens: &[TokenId]) -> Vec<f32> {
        let decoder = self.decoder;
        match decoder.forward(&mut [self.segment(tokens)], &Pulse::default()).unwrap().remove(0) {
            Computed::Logits(logits) => logits,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn logits_are_those_of_transformers() {
    for model in MODELS {
        let decoder = decoder(model);
        let bytes = std::fs::read(folder(model).join("logits.bin")).unwrap();
        let wanted: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let mut run = Run::new(&decoder);
        for (position, (token, wanted)) in expected(model).prompt.iter().zip(wanted.chunks(decoder.config().vocabulary)).enumerate() {
            let worst = run.logits(&[*token]).iter().zip(wanted).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
            assert!(worst <= TOLERANCE, "{model}, position {position}: {worst}");
        }
    }
}

#[test]
fn greedy_tokens_are_those_of_transformers() {
    for model in MODELS {
        let decoder = decoder(model);
        let Expected { prompt, greedy } = expected(model);
        let mut run = Run::new(&decoder);
        let mut logits = run.logits(&prompt);
        for (position, wanted) in greedy.iter().enumerate() {
            let likeliest = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
            assert_eq!(likeliest as TokenId, *wanted, "{model}, position {position}");
            logits = run.logits(&[*wanted]);
        }
    }
}

#[test]
fn chunks_and_neighbours_change_no_bit() {
    for model in MODELS {
        let decoder = decoder(model);
        let prompt = expected(model).prompt;
        let alone = Run::new(&decoder).logits(&prompt);
        for size in [1, 3, 16, 17, 39] {
            let mut run = Run::new(&decoder);
            let chunked = prompt.chunks(size).map(|chunk| run.logits(chunk)).last().unwrap();
            assert_eq!(chunked, alone, "{model} in chunks of {size}");
        }
        let mut runs: Vec<Run<'_>> = (0..5).map(|_| Run::new(&decoder)).collect();
        let mut segments: Vec<Segment<'_>> =
            runs.iter_mut().enumerate().map(|(index, run)| run.segment(&prompt[..prompt.len() - index * 7])).collect();
        let together = decoder.forward(&mut segments, &Pulse::default()).unwrap();
        assert_eq!(together[0], Computed::Logits(alone), "{model} in a batch");
    }
}
