//! Names of pages by everything that their content depends on.

use sha2::{Digest, Sha256};
use shammah_protocol::TokenId;

use super::PAGE_TOKENS;

/// A hash of all tokens of a sequence up to the end of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Chain(u128);

impl Chain {
    /// Before the first page.
    pub(crate) const START: Self = Self(0);

    /// With one more page.
    pub(crate) fn then(self, tokens: &[TokenId]) -> Self {
        let mut hasher = Sha256::new_with_prefix(self.0.to_le_bytes());
        for token in tokens {
            hasher.update(token.to_le_bytes());
        }
        let digest = hasher.finalize();
        let (half, _) = digest.as_chunks::<16>();
        Self(u128::from_le_bytes(half[0]))
    }

    /// The chains of all full pages of `tokens`, in order.
    pub(crate) fn of(tokens: &[TokenId]) -> impl Iterator<Item = Self> {
        tokens.chunks_exact(PAGE_TOKENS).scan(Self::START, |chain, page| {
            *chain = chain.then(page);
            Some(*chain)
        })
    }
}
