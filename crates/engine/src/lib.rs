//! Inference on the processor: weights, tokenizer, chat template, decoder, KV pages, planner and sampler, behind the traits of
//! `shammah-protocol`.
//!
//! [`Source`] finds and loads models of the Qwen2 family from GGUF files and Hugging Face folders. What it loads answers
//! deterministically: the token at a position depends on the job alone, never on what else is in the batch, on how a prompt was cut
//! into chunks, on which pages came from the store, or on the number of threads. [`synthetic`]
//! writes random models in true shapes.

mod codec;
mod config;
mod decoder;
mod engine;
mod factory;
mod folder;
mod gguf;
mod kernel;
mod matrix;
mod pace;
mod pages;
mod planner;
mod rope;
mod sampler;
mod sequence;
mod settings;
mod source;
pub mod synthetic;
mod weights;

pub use settings::{EngineSettings, KvType};
pub use source::{DEMO_ID, Source};
