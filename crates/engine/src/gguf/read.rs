//! Reading. Every length is checked against what is left of the file before anything is allocated.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::{DEFAULT_ALIGNMENT, Header, MAGIC, TensorInfo, Value, byte_size, dtype_of};

const MAX_DIMENSIONS: u32 = 4;

/// Reads everything up to the tensor data.
///
/// # Errors
/// What is wrong with the file, in words.
pub(crate) fn read_header(file: &mut (impl Read + Seek)) -> Result<Header, String> {
    let length = file.seek(SeekFrom::End(0)).map_err(words)?;
    file.rewind().map_err(words)?;
    let mut reader = Reader { file: io::BufReader::new(file), left: length };
    if reader.array::<4>()? != MAGIC {
        return Err("it does not begin with GGUF".into());
    }
    let version = reader.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(format!("GGUF version {version} is not supported"));
    }
    let (tensor_count, metadata_count) = (reader.u64()?, reader.u64()?);
    let mut metadata = HashMap::new();
    for _ in 0..metadata_count {
        let key = reader.text()?;
        let kind = reader.u32()?;
        let value = reader.value(kind, Nesting::Array)?;
        metadata.insert(key, value);
    }
    let mut listed = Vec::new();
    for _ in 0..tensor_count {
        listed.push(reader.tensor()?);
    }
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(value) => value.as_u64().filter(|alignment| alignment.is_power_of_two()).ok_or("its alignment is not a power of two")?,
    };
    let start = (length - reader.left).checked_next_multiple_of(alignment).ok_or("its alignment is too large")?;
    let tensors = listed.into_iter().map(|entry| entry.place(start, length)).collect::<Result<_, _>>()?;
    Ok(Header { metadata, tensors })
}

/// A tensor as the file lists it.
struct Entry {
    name: String,
    shape: Vec<usize>,
    kind: u32,
    offset: u64,
}

impl Entry {
    fn place(self, start: u64, length: u64) -> Result<(String, TensorInfo), String> {
        let Self { name, shape, kind, offset } = self;
        let dtype = dtype_of(kind).ok_or_else(|| format!("tensor {name} is of the unknown type {kind}"))?;
        let bytes = byte_size(&shape, dtype).ok_or_else(|| format!("tensor {name} has the impossible shape {shape:?}"))?;
        let offset = start.checked_add(offset);
        let end = offset.and_then(|offset| offset.checked_add(bytes as u64));
        match (offset, end) {
            (Some(offset), Some(end)) if end <= length => Ok((name, TensorInfo { shape, dtype, offset, bytes })),
            _ => Err(format!("tensor {name} lies beyond the end of the file")),
        }
    }
}

enum Nesting {
    Array,
    Scalar,
}

struct Reader<R> {
    file: R,
    /// Bytes up to the end of the file.
    left: u64,
}

impl<R: Read> Reader<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(words)?;
        self.left = self.left.saturating_sub(N as u64);
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count of things of at least `size` bytes each.
    fn count(&mut self, size: u64) -> Result<usize, String> {
        let count = self.u64()?;
        let fits = count.checked_mul(size).is_some_and(|bytes| bytes <= self.left);
        usize::try_from(count).ok().filter(|_| fits).ok_or_else(|| "it is cut short".into())
    }

    fn text(&mut self) -> Result<String, String> {
        let mut bytes = vec![0; self.count(1)?];
        self.file.read_exact(&mut bytes).map_err(words)?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        String::from_utf8(bytes).map_err(|_| "a text in it is not UTF-8".into())
    }

    fn value(&mut self, kind: u32, nesting: Nesting) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 if matches!(nesting, Nesting::Array) => {
                let kind = self.u32()?;
                let count = self.count(1)?;
                Value::Array((0..count).map(|_| self.value(kind, Nesting::Scalar)).collect::<Result<_, _>>()?)
            }
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("it holds a value of the unknown type {other}")),
        })
    }

    fn tensor(&mut self) -> Result<Entry, String> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > MAX_DIMENSIONS {
            return Err(format!("tensor {name} has {dimensions} dimensions"));
        }
        let mut shape = (0..dimensions)
            .map(|_| usize::try_from(self.u64()?).map_err(|_| format!("tensor {name} is too large")))
            .collect::<Result<Vec<_>, _>>()?;
        // The file lists the innermost dimension first.
        shape.reverse();
        Ok(Entry { name, shape, kind: self.u32()?, offset: self.u64()? })
    }
}

fn words(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut short".into(),
        _ => error.to_string(),
    }
}
