//! A byte-level BPE vocabulary of any size.

use serde_json::{Value, json};

use crate::codec::{QWEN2_SPLIT, byte_alphabet};

/// ChatML, with the tools as JSON lines in the system block.
pub(super) const CHAT_TEMPLATE: &str = "{%- if tools %}{{- '<|im_start|>system\\n' }}{% for tool in tools %}{{- tool | tojson + '\\n' }}{% endfor %}{{- '<|im_end|>\\n' }}{% endif %}\
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}\
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}";

/// Control tokens, the end of a turn second.
const CONTROL: [&str; 3] = ["<|endoftext|>", "<|im_end|>", "<|im_start|>"];

/// Tokens, merges and control tokens. The first 256 tokens are the bytes, then come pairs of earlier tokens, the last are the control
/// tokens.
pub(super) struct Vocabulary {
    pub(super) tokens: Vec<String>,
    /// Pairs that make the tokens from 256 on.
    pub(super) merges: Vec<(String, String)>,
}

impl Vocabulary {
    /// A vocabulary of `size` tokens, at least 259.
    pub(super) fn new(size: usize) -> Self {
        let mut tokens: Vec<String> = byte_alphabet().iter().map(char::to_string).collect();
        let mut merges = Vec::new();
        let mut known: std::collections::HashSet<String> = tokens.iter().cloned().collect();
        // Every lower-case pair, then pairs with what came before: all are reachable, none twice.
        let letters: Vec<String> = ('a'..='z').map(String::from).collect();
        let mut left = 0;
        let mut parts: Vec<String> = letters.clone();
        while tokens.len() + CONTROL.len() < size {
            let part = parts[left].clone();
            left += 1;
            for letter in &letters {
                let token = format!("{part}{letter}");
                if tokens.len() + CONTROL.len() < size && known.insert(token.clone()) {
                    merges.push((part.clone(), letter.clone()));
                    parts.push(token.clone());
                    tokens.push(token);
                }
            }
        }
        tokens.extend(CONTROL.map(String::from));
        Self { tokens, merges }
    }

    /// Ids of the control tokens.
    pub(super) fn control(&self) -> std::ops::Range<usize> {
        self.tokens.len() - CONTROL.len()..self.tokens.len()
    }

    /// The token that ends a turn.
    pub(super) fn end(&self) -> usize {
        self.control().start + 1
    }

    /// `tokenizer.json`.
    pub(super) fn tokenizer_json(&self) -> Value {
        let control = self.control();
        let vocabulary: serde_json::Map<String, Value> =
            self.tokens[..control.start].iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
        let added = control.map(|id| {
            json!({"id": id, "content": self.tokens[id], "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                   "special": true})
        });
        json!({
            "version": "1.0",
            "added_tokens": added.collect::<Vec<_>>(),
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": QWEN2_SPLIT}, "behavior": "Isolated", "invert": false},
                {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
            ]},
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
                      "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocabulary, "merges": self.merges},
        })
    }
}
