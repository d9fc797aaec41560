//! `shammah model`: random models in true shapes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use shammah_engine::synthetic::{self, GgufType, SyntheticFormat, SyntheticShape};

use super::failure::Usage;
use super::figures;
use super::terminal::Terminal;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shape to imitate
    #[arg(long, value_name = "SHAPE", value_parser = shape())]
    synthetic: SyntheticShape,
    /// The file (gguf) or folder (safetensors) to write; it must not exist yet
    #[arg(long, value_name = "PATH")]
    output: PathBuf,
    /// The format of the model
    #[arg(long, value_enum, default_value_t = Format::Gguf)]
    format: Format,
    /// The type of the weights: for gguf any (q8_0 by default), for safetensors f32 or bf16 (the default)
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    kind: Option<Kind>,
    /// The same seed gives the same weights
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Gguf,
    Safetensors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    F32,
    F16,
    Bf16,
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "q4_0")]
    Q4_0,
    #[value(name = "q4_k")]
    Q4K,
    #[value(name = "q6_k")]
    Q6K,
}

/// Writes the model.
pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let Arguments { synthetic: shape, output, format, kind, seed } = arguments;
    let format = combine(*format, *kind)?;
    if output.exists() {
        return Err(Usage(format!("{} exists already", output.display())).into());
    }
    let report = |progress: shammah_protocol::LoadProgress| {
        terminal.progress(&format!("{} of {}", figures::percent(progress.done, progress.total), figures::bytes(progress.total)));
    };
    synthetic::write(output, *shape, format, *seed, &report)?;
    terminal.clear_progress();
    terminal.note(&format!("{}: {}", output.display(), figures::bytes(size(output)?)));
    Ok(ExitCode::SUCCESS)
}

fn combine(format: Format, kind: Option<Kind>) -> Result<SyntheticFormat, Usage> {
    Ok(match (format, kind) {
        (Format::Safetensors, Some(Kind::F32)) => SyntheticFormat::SafetensorsF32,
        (Format::Safetensors, Some(Kind::Bf16) | None) => SyntheticFormat::SafetensorsBf16,
        (Format::Safetensors, Some(_)) => return Err(Usage("safetensors are written as f32 or bf16 only".into())),
        (Format::Gguf, kind) => SyntheticFormat::Gguf(match kind.unwrap_or(Kind::Q8_0) {
            Kind::F32 => GgufType::F32,
            Kind::F16 => GgufType::F16,
            Kind::Bf16 => GgufType::BF16,
            Kind::Q8_0 => GgufType::Q8_0,
            Kind::Q4_0 => GgufType::Q4_0,
            Kind::Q4K => GgufType::Q4K,
            Kind::Q6K => GgufType::Q6K,
        }),
    })
}

fn shape() -> impl TypedValueParser<Value = SyntheticShape> {
    PossibleValuesParser::new(SyntheticShape::ALL.map(|(name, _)| name)).try_map(|name| name.parse::<SyntheticShape>())
}

/// Bytes of a file, or of the files in a folder.
fn size(path: &Path) -> std::io::Result<u64> {
    if path.is_file() {
        return Ok(path.metadata()?.len());
    }
    path.read_dir()?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_types_that_do_not_go_together_are_refused() {
        assert_eq!(combine(Format::Gguf, None).unwrap(), SyntheticFormat::Gguf(GgufType::Q8_0));
        assert_eq!(combine(Format::Safetensors, None).unwrap(), SyntheticFormat::SafetensorsBf16);
        assert!(combine(Format::Safetensors, Some(Kind::Q4K)).is_err());
    }

    #[test]
    fn a_model_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = Arguments {
            synthetic: SyntheticShape::Tiny,
            output: folder.path().join("tiny.gguf"),
            format: Format::Gguf,
            kind: None,
            seed: 1,
        };
        run(&arguments, &Terminal::new()).unwrap();
        assert!(size(&arguments.output).unwrap() > 0);
        assert!(run(&arguments, &Terminal::new()).unwrap_err().is::<Usage>());
    }
}
