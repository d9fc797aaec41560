//! Writes a synthetic model: a file for GGUF, a folder for safetensors.
//!
//! `cargo run -p shammah-engine --example synthesize -- qwen2.5-0.5b gguf-q8_0 /tmp/model.gguf`

use std::error::Error;
use std::path::Path;

use shammah_engine::synthetic;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, shape, format, path] = arguments.as_slice() else { return Err("usage: synthesize SHAPE FORMAT PATH".into()) };
    synthetic::write(Path::new(path), shape.parse()?, format.parse()?, 0, &|_| {})?;
    Ok(())
}
