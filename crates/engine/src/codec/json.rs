//! JSON as Python's `json.dumps(…, ensure_ascii=False)` writes it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The text of a value: on one line with `", "` and `": "`, or indented.
///
/// # Errors
/// What cannot be written as JSON.
pub(super) fn dumps(value: &impl Serialize, indent: Option<usize>) -> Result<String, serde_json::Error> {
    let mut text = Vec::new();
    match indent {
        None => value.serialize(&mut Serializer::with_formatter(&mut text, Python(OneLine)))?,
        Some(width) => {
            let spaces = vec![b' '; width];
            value.serialize(&mut Serializer::with_formatter(&mut text, Python(PrettyFormatter::with_indent(&spaces))))?;
        }
    }
    Ok(String::from_utf8(text).expect("JSON is UTF-8"))
}

/// Separators with a space.
struct OneLine;

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// Writes floating point numbers as Python's `repr`, everything else as `F`.
struct Python<F>(F);

impl<F: Formatter> Formatter for Python<F> {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(repr(value).as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Python's `repr` of a finite float: the shortest digits, an exponent of two digits below 1e-4 and from 1e16 on.
fn repr(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').expect("the format writes an exponent");
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_python() {
        let value: serde_json::Value =
            serde_json::from_str(r#"{"b":[1,2.0,1e16,1.5e-7,-0.25,1e22],"a":{},"c":[],"s":"<é\"\n\u0001\u007f>","n":null,"t":true}"#)
                .unwrap();
        let python = "{\"b\": [1, 2.0, 1e+16, 1.5e-07, -0.25, 1e+22], \"a\": {}, \"c\": [], \"s\": \"<é\\\"\\n\\u0001\u{7f}>\", \"n\": null, \"t\": true}";
        assert_eq!(dumps(&value, None).unwrap(), python);
        let python = "{\n  \"a\": [\n    1,\n    {\n      \"x\": \"y\"\n    }\n  ],\n  \"e\": [],\n  \"o\": {}\n}";
        let value: serde_json::Value = serde_json::from_str(r#"{"a":[1,{"x":"y"}],"e":[],"o":{}}"#).unwrap();
        assert_eq!(dumps(&value, Some(2)).unwrap(), python);
    }
}
