//! Writing, tensor by tensor, so that a model never has to be in memory as a whole.

use std::io::{self, Seek, Write};

use candle_core::quantized::GgmlDType;

use super::{DEFAULT_ALIGNMENT, MAGIC, Value, byte_size, number_of};

/// What is known of a tensor before its data is written.
#[derive(Clone, Debug)]
pub(crate) struct TensorHead {
    pub(crate) name: String,
    /// Outermost dimension first.
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: GgmlDType,
}

/// Writes the data of the tensors that the header announced, in their order.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    file: W,
}

impl<W: Write + Seek> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// Those of the disk, and `InvalidInput` for a shape that the type cannot hold.
    pub(crate) fn new(mut file: W, metadata: &[(String, Value)], tensors: &[TensorHead]) -> io::Result<Self> {
        file.write_all(&MAGIC)?;
        put_u32(&mut file, 3)?;
        put_u64(&mut file, tensors.len() as u64)?;
        put_u64(&mut file, metadata.len() as u64)?;
        for (key, value) in metadata {
            put_text(&mut file, key)?;
            put_u32(&mut file, kind(value))?;
            put_value(&mut file, value)?;
        }
        let mut offset = 0u64;
        for head in tensors {
            let bytes = byte_size(&head.shape, head.dtype).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, head.name.clone()))?;
            put_text(&mut file, &head.name)?;
            put_u32(&mut file, head.shape.len() as u32)?;
            for &dimension in head.shape.iter().rev() {
                put_u64(&mut file, dimension as u64)?;
            }
            put_u32(&mut file, number_of(head.dtype))?;
            put_u64(&mut file, offset)?;
            offset += (bytes as u64).next_multiple_of(DEFAULT_ALIGNMENT);
        }
        let mut writer = Self { file };
        writer.pad()?;
        Ok(writer)
    }

    /// Writes the data of the next tensor.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn tensor(&mut self, data: &[u8]) -> io::Result<()> {
        self.file.write_all(data)?;
        self.pad()
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn pad(&mut self) -> io::Result<()> {
        let position = self.file.stream_position()?;
        let padding = position.next_multiple_of(DEFAULT_ALIGNMENT) - position;
        self.file.write_all(&[0; DEFAULT_ALIGNMENT as usize][..padding as usize])
    }
}

fn kind(value: &Value) -> u32 {
    match value {
        Value::Unsigned(_) => 4,
        Value::Signed(_) => 5,
        Value::Float(_) => 6,
        Value::Bool(_) => 7,
        Value::Text(_) => 8,
        Value::Array(_) => 9,
    }
}

fn put_value(file: &mut impl Write, value: &Value) -> io::Result<()> {
    match value {
        Value::Unsigned(number) => put_u32(file, u32::try_from(*number).map_err(io::Error::other)?),
        Value::Signed(number) => file.write_all(&i32::try_from(*number).map_err(io::Error::other)?.to_le_bytes()),
        Value::Float(number) => file.write_all(&(*number as f32).to_le_bytes()),
        Value::Bool(flag) => file.write_all(&[u8::from(*flag)]),
        Value::Text(text) => put_text(file, text),
        Value::Array(values) => {
            put_u32(file, values.first().map_or(4, kind))?;
            put_u64(file, values.len() as u64)?;
            values.iter().try_for_each(|value| put_value(file, value))
        }
    }
}

fn put_u32(file: &mut impl Write, number: u32) -> io::Result<()> {
    file.write_all(&number.to_le_bytes())
}

fn put_u64(file: &mut impl Write, number: u64) -> io::Result<()> {
    file.write_all(&number.to_le_bytes())
}

fn put_text(file: &mut impl Write, text: &str) -> io::Result<()> {
    put_u64(file, text.len() as u64)?;
    file.write_all(text.as_bytes())
}
