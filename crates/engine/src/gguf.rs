//! The GGUF file format: metadata and tensors of a model in one file.
//!
//! Read and written by own code because candle's reader panics on a hostile alignment and its writer wants every tensor in memory.

mod read;
mod write;

use std::collections::HashMap;

use candle_core::quantized::GgmlDType;

pub(crate) use read::read_header;
pub(crate) use write::{TensorHead, Writer};

/// A metadata value. Widths are not kept: integers are read as 64 bits and written as 32.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Array(Vec<Value>),
}

impl Value {
    /// A non-negative integer.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            Self::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Any number.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Unsigned(value) => Some(*value as f64),
            Self::Signed(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }
}

/// What precedes the tensor data.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) metadata: HashMap<String, Value>,
    pub(crate) tensors: HashMap<String, TensorInfo>,
}

/// Where a tensor lies, checked against the length of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TensorInfo {
    /// Outermost dimension first, `[rows, columns]`; at least one, none is 0.
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: GgmlDType,
    /// From the start of the file.
    pub(crate) offset: u64,
    pub(crate) bytes: usize,
}

/// Numbers that the format gives to the types that are read here.
const TYPES: [(u32, GgmlDType); 15] = [
    (0, GgmlDType::F32),
    (1, GgmlDType::F16),
    (2, GgmlDType::Q4_0),
    (3, GgmlDType::Q4_1),
    (6, GgmlDType::Q5_0),
    (7, GgmlDType::Q5_1),
    (8, GgmlDType::Q8_0),
    (9, GgmlDType::Q8_1),
    (10, GgmlDType::Q2K),
    (11, GgmlDType::Q3K),
    (12, GgmlDType::Q4K),
    (13, GgmlDType::Q5K),
    (14, GgmlDType::Q6K),
    (15, GgmlDType::Q8K),
    (30, GgmlDType::BF16),
];

const MAGIC: [u8; 4] = *b"GGUF";
const DEFAULT_ALIGNMENT: u64 = 32;

fn dtype_of(number: u32) -> Option<GgmlDType> {
    TYPES.iter().find(|(known, _)| *known == number).map(|(_, dtype)| *dtype)
}

fn number_of(dtype: GgmlDType) -> u32 {
    TYPES.iter().find(|(_, known)| *known == dtype).map(|(number, _)| *number).expect("the table holds every type")
}

/// Bytes of a tensor; `None` if its rows are not whole blocks or the size overflows.
fn byte_size(shape: &[usize], dtype: GgmlDType) -> Option<usize> {
    let columns = *shape.last()?;
    let elements = shape.iter().try_fold(1usize, |product, &dimension| product.checked_mul(dimension))?;
    let whole = columns > 0 && columns.is_multiple_of(dtype.block_size());
    (whole && elements > 0).then(|| (elements / dtype.block_size()).checked_mul(dtype.type_size())).flatten()
}
