//! A tokenizer from GGUF metadata.

use shammah_protocol::LoadError;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{AddedToken, Tokenizer};

use crate::gguf::{Header, Value};

/// How Qwen2 cuts text before BPE, as in its `tokenizer.json`.
pub(crate) const QWEN2_SPLIT: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const UNUSED: u64 = 5;

/// Builds the tokenizer of a Qwen2 model: byte-level BPE.
///
/// # Errors
/// [`LoadError::Unsupported`] for another kind of tokenizer, by name, [`LoadError::Invalid`] for missing or contradicting lists.
pub(crate) fn from_metadata(header: &Header, what: &str) -> Result<Tokenizer, LoadError> {
    let invalid = |reason: String| LoadError::Invalid { what: format!("the tokenizer of {what}"), reason };
    let text = |key: &str| header.metadata.get(key).and_then(Value::as_str).unwrap_or("missing");
    for (key, wanted) in [("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "qwen2")] {
        let found = text(key);
        if found != wanted {
            return Err(LoadError::Unsupported {
                what: format!("the tokenizer of {what}"),
                reason: format!("{key} is {found}, not {wanted}"),
            });
        }
    }
    let list = |key: &str| header.metadata.get(key).and_then(Value::as_array).ok_or_else(|| invalid(format!("{key} is missing")));
    let strings = |key: &str| {
        let texts = list(key)?.iter().map(|value| value.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<_>>>().ok_or_else(|| invalid(format!("{key} holds something else than text")))
    };

    let tokens = strings("tokenizer.ggml.tokens")?;
    let kinds: Vec<u64> = list("tokenizer.ggml.token_type")?.iter().map(|kind| kind.as_u64().unwrap_or(0)).collect();
    if kinds.len() != tokens.len() {
        return Err(invalid(format!("{} tokens have {} types", tokens.len(), kinds.len())));
    }
    let merges = strings("tokenizer.ggml.merges")?;
    let merges = merges.iter().map(|merge| merge.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned())));
    let merges = merges.collect::<Option<Vec<_>>>().ok_or_else(|| invalid("a merge is not two texts".into()))?;
    let used = || (0u32..).zip(&tokens).zip(&kinds).filter(|(_, kind)| **kind != UNUSED);
    let vocabulary: Vocab = used().map(|((id, token), _)| (token.clone(), id)).collect();

    let failed = |error: tokenizers::Error| invalid(error.to_string());
    let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(failed)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(NFC)).map_err(failed)?;
    let split = Split::new(SplitPattern::Regex(QWEN2_SPLIT.into()), SplitDelimiterBehavior::Isolated, false).map_err(failed)?;
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![split.into(), ByteLevel::new(false, true, false).into()])));
    let added = used().filter(|(_, kind)| matches!(**kind, CONTROL | USER_DEFINED));
    let added = added.map(|((_, token), kind)| AddedToken::from(token.as_str(), *kind == CONTROL).normalized(false));
    tokenizer.add_tokens(added).map_err(failed)?;
    Ok(tokenizer)
}
