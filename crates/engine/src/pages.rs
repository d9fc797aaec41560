//! Pages: the keys and values of sixteen positions of one sequence, all layers.

mod chain;
mod pool;
mod store;

use half::f16;

use crate::kernel::{widen_all, widen_f16};
use crate::settings::KvType;

pub(crate) use chain::Chain;
pub(crate) use pool::{PagePool, Place};
pub(crate) use store::{Full, PageStore};

/// Positions of a page.
pub(crate) const PAGE_TOKENS: usize = 16;

/// Keys or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Key,
    Value,
}

/// The dimensions of the pages of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageShape {
    pub(crate) layers: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) kv_type: KvType,
}

impl PageShape {
    fn numbers(self) -> usize {
        self.layers * 2 * self.kv_heads * self.block()
    }

    /// Numbers of one head of one layer, keys or values.
    fn block(self) -> usize {
        PAGE_TOKENS * self.head_dim
    }

    /// Memory of a page in bytes.
    pub(crate) fn bytes(self) -> usize {
        self.numbers() * self.kv_type.size()
    }
}

/// One page, in a single allocation: `[layer][keys, values][head]`, then keys as `[head_dim, PAGE_TOKENS]`, so that one vector holds the
/// scores of the page, and values as `[PAGE_TOKENS, head_dim]`. Written by the one sequence that holds it; never again once it is full
/// and shared.
#[derive(Debug)]
pub(crate) struct Page {
    shape: PageShape,
    numbers: Numbers,
    /// Gives its part of the budget back when the page is dropped. `None` outside of the budget.
    _place: Option<Place>,
}

#[derive(Debug)]
enum Numbers {
    F16(Box<[f16]>),
    F32(Box<[f32]>),
}

impl Page {
    /// A page of zeros.
    pub(crate) fn new(shape: PageShape, place: Option<Place>) -> Self {
        let numbers = match shape.kv_type {
            KvType::F16 => Numbers::F16(vec![f16::ZERO; shape.numbers()].into()),
            KvType::F32 => Numbers::F32(vec![0.0; shape.numbers()].into()),
        };
        Self { shape, numbers, _place: place }
    }

    /// Writes the vectors `[kv_heads * head_dim]` of one position, `slot` counted within the page.
    pub(crate) fn write(&mut self, layer: usize, side: Side, slot: usize, vectors: &[f32]) {
        let head_dim = self.shape.head_dim;
        let (first, stride) = match side {
            Side::Key => (slot, PAGE_TOKENS),
            Side::Value => (slot * head_dim, 1),
        };
        for (head, vector) in vectors.chunks_exact(head_dim).enumerate() {
            let start = self.offset(layer, side, head) + first;
            match &mut self.numbers {
                Numbers::F16(numbers) => scatter(&mut numbers[start..], stride, vector, f16::from_f32),
                Numbers::F32(numbers) => scatter(&mut numbers[start..], stride, vector, |number| number),
            }
        }
    }

    /// What one head has, `[head_dim, PAGE_TOKENS]` for keys and `[PAGE_TOKENS, head_dim]` for values; in `buffer` if it has to be
    /// converted. Positions that were never written are 0.
    #[inline(always)]
    pub(crate) fn read<'a>(&'a self, layer: usize, side: Side, head: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        let start = self.offset(layer, side, head);
        let range = start..start + self.shape.block();
        match &self.numbers {
            Numbers::F16(numbers) => widen_all(&numbers[range], buffer, widen_f16),
            Numbers::F32(numbers) => &numbers[range],
        }
    }

    fn offset(&self, layer: usize, side: Side, head: usize) -> usize {
        ((layer * 2 + side as usize) * self.shape.kv_heads + head) * self.shape.block()
    }
}

/// Writes `vector` to every `stride`th place.
fn scatter<T>(places: &mut [T], stride: usize, vector: &[f32], convert: impl Fn(f32) -> T) {
    for (place, number) in places.iter_mut().step_by(stride).zip(vector) {
        *place = convert(*number);
    }
}
