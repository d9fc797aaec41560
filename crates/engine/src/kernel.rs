//! The hot loops over f32, in safe code for the vector instructions of the processor at hand.
//!
//! Lanes hold different outputs, so every output is one running sum over its inputs in order, whatever else is computed beside it
//! and however wide a vector is. That makes results independent of batch, chunk and thread count, bit for bit. Loops that know wide
//! vectors must be inlined into their dispatch: hence `inline(always)`, and no closures or methods of `Vec` inside.

mod attention;
mod elementwise;
mod exp;
mod half;
mod multiply;
mod panel;
mod weights;

pub(crate) use attention::{Attention, HeadRows};
pub(crate) use elementwise::{add, add_bias, rms_norm, swiglu};
pub(crate) use half::{widen_all, widen_f16};
pub(crate) use multiply::multiply;
pub(crate) use weights::{Blocks, Numbers, Weights};
