//! The bytes behind each token.

use std::collections::HashMap;

use shammah_protocol::TokenId;
use tokenizers::Tokenizer;

/// The bytes of all tokens, one after the other.
pub(super) struct TokenBytes {
    bytes: Vec<u8>,
    /// Where each token ends.
    ends: Vec<u32>,
}

/// The character that byte-level BPE writes for each byte: itself where it can be seen, else one from 256 on.
pub(crate) fn byte_alphabet() -> [char; 256] {
    let visible = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 256;
    std::array::from_fn(|index| {
        let byte = index as u8;
        if visible(byte) {
            return char::from(byte);
        }
        next += 1;
        char::from_u32(next - 1).expect("256 to 511 are characters")
    })
}

impl TokenBytes {
    /// Control tokens have none, other added tokens are their own text, all others are byte-level.
    pub(super) fn new(tokenizer: &Tokenizer, vocabulary: usize) -> Self {
        let decode: HashMap<char, u8> = byte_alphabet().into_iter().zip(0..=255).collect();
        let added = tokenizer.get_added_tokens_decoder();
        let mut table = Self { bytes: Vec::new(), ends: Vec::with_capacity(vocabulary) };
        for id in 0..vocabulary as TokenId {
            match added.get(&id) {
                Some(token) if token.special => {}
                Some(token) => table.bytes.extend(token.content.as_bytes()),
                None => {
                    for character in tokenizer.id_to_token(id).unwrap_or_default().chars() {
                        match decode.get(&character) {
                            Some(byte) => table.bytes.push(*byte),
                            None => table.bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
                        }
                    }
                }
            }
            table.ends.push(table.bytes.len() as u32);
        }
        table
    }

    /// The bytes of one token; none for one that is not in the vocabulary.
    pub(super) fn of(&self, token: TokenId) -> &[u8] {
        let index = token as usize;
        let Some(end) = self.ends.get(index) else { return &[] };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start as usize..*end as usize]
    }
}
