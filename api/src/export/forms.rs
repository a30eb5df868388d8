//! The forms of an export's files: lines of CloudEvents 1.0, CSV (RFC 4180), and Parquet. Each has
//! every record byte for byte as it is in the log, and its members beside it.
//!
//! Does not know which events are wanted, nor what proves them.

use std::sync::Arc;

use clap::ValueEnum;
use parquet::{
    basic::Compression,
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        reader::{FileReader as _, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    record::RowAccessor as _,
    schema::parser::parse_message_type,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Row;
use crate::rest::export::harmless;

/// The columns of a Parquet file. Times are in microseconds since 1970, UTC.
const COLUMNS: &str = "message events {
    required int64 position (INTEGER(64, false));
    required binary stream (STRING);
    required int64 version (INTEGER(64, false));
    required binary type (STRING);
    required binary id (STRING);
    required int64 at (TIMESTAMP(MICROS, true));
    required binary actor (STRING);
    required binary command (STRING);
    optional binary causation (STRING);
    required binary correlation (STRING);
    optional binary reason (STRING);
    required binary record (STRING);
}";
/// Where the record is among them.
const RECORD_COLUMN: usize = 11;

/// The form of an export's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One CloudEvent (1.0, JSON) a line; its data is the record.
    #[default]
    Ndjson,
    /// One event a line, the record in the last column.
    Csv,
    /// Columns.
    Parquet,
}

impl Format {
    /// How the names of its files end.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
        }
    }

    /// A file of these events.
    pub(super) fn write(self, origin: &str, rows: &[Row]) -> Result<Vec<u8>, String> {
        match self {
            Format::Ndjson => ndjson(origin, rows).map_err(|error| error.to_string()),
            Format::Csv => csv(rows),
            Format::Parquet => parquet(rows).map_err(|error| error.to_string()),
        }
    }

    /// The events of a file: their positions and records.
    pub(super) fn read(self, bytes: Vec<u8>) -> Result<Vec<(u64, Vec<u8>)>, String> {
        match self {
            Format::Ndjson => of_ndjson(&bytes),
            Format::Csv => of_csv(&bytes),
            Format::Parquet => of_parquet(bytes).map_err(|error| error.to_string()),
        }
    }
}

/// A CloudEvent (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>), with the
/// extension `sequence`, and ours: what else a record says of its event.
#[derive(Serialize, Deserialize)]
struct CloudEvent<'e> {
    specversion: &'e str,
    id: String,
    source: &'e str,
    #[serde(rename = "type")]
    event_type: &'e str,
    subject: &'e str,
    time: String,
    datacontenttype: &'e str,
    /// The position, so wide that texts are in the order of numbers.
    sequence: String,
    streamversion: String,
    correlationid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causationid: Option<String>,
    #[serde(borrow)]
    data: &'e RawValue,
}

fn ndjson(origin: &str, rows: &[Row]) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    for row in rows {
        let event = CloudEvent {
            specversion: "1.0",
            id: row.id.to_string(),
            source: origin,
            event_type: &row.event_type,
            subject: &row.stream,
            time: time(row),
            datacontenttype: "application/json",
            sequence: format!("{:020}", row.position),
            streamversion: row.version.to_string(),
            correlationid: row.correlation.to_string(),
            causationid: row.causation.map(|id| id.to_string()),
            data: serde_json::from_str(&row.record)?,
        };
        serde_json::to_writer(&mut bytes, &event)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn of_ndjson(bytes: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, String> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let event: CloudEvent<'_> =
                serde_json::from_slice(line).map_err(|error| error.to_string())?;
            let position = event.sequence.parse();
            let position = position.map_err(|_| format!("{} is no position", event.sequence))?;
            Ok((position, event.data.get().as_bytes().to_vec()))
        })
        .collect()
}

fn time(row: &Row) -> String {
    row.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn csv(rows: &[Row]) -> Result<Vec<u8>, String> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let names = [
        "position",
        "stream",
        "version",
        "type",
        "id",
        "at",
        "actor",
        "command",
        "causation",
        "correlation",
        "reason",
        "record",
    ];
    let fault = |error: csv::Error| error.to_string();
    writer.write_record(names).map_err(fault)?;
    for row in rows {
        writer
            .write_record([
                row.position.to_string(),
                harmless(&row.stream),
                row.version.to_string(),
                row.event_type.clone(),
                row.id.to_string(),
                time(row),
                harmless(&row.actor),
                row.command.to_string(),
                row.causation.map(|id| id.to_string()).unwrap_or_default(),
                row.correlation.to_string(),
                harmless(row.reason.as_deref().unwrap_or_default()),
                row.record.clone(),
            ])
            .map_err(fault)?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

fn of_csv(bytes: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    reader
        .records()
        .map(|line| {
            let line = line.map_err(|error| error.to_string())?;
            let (position, record) = (line.get(0).unwrap_or_default(), line.iter().next_back());
            let number = position.parse().map_err(|_| format!("{position:?} is no position"))?;
            Ok((number, record.unwrap_or_default().as_bytes().to_vec()))
        })
        .collect()
}

/// One column of all rows.
enum Column {
    Numbers(Vec<i64>),
    Texts(Vec<ByteArray>),
    /// The texts that are there, and for each row whether it has one.
    Some(Vec<ByteArray>, Vec<i16>),
}

fn columns(rows: &[Row]) -> Vec<Column> {
    let numbers = |of: fn(&Row) -> u64| {
        Column::Numbers(rows.iter().map(|row| i64::try_from(of(row)).unwrap_or(i64::MAX)).collect())
    };
    let texts = |of: fn(&Row) -> String| {
        Column::Texts(rows.iter().map(|row| ByteArray::from(of(row).into_bytes())).collect())
    };
    let some = |of: fn(&Row) -> Option<String>| {
        let all: Vec<Option<String>> = rows.iter().map(of).collect();
        let is_there = all.iter().map(|one| i16::from(one.is_some())).collect();
        let texts = all.into_iter().flatten().map(|one| ByteArray::from(one.into_bytes()));
        Column::Some(texts.collect(), is_there)
    };
    vec![
        numbers(|row| row.position),
        texts(|row| row.stream.clone()),
        numbers(|row| row.version),
        texts(|row| row.event_type.clone()),
        texts(|row| row.id.to_string()),
        Column::Numbers(rows.iter().map(|row| row.at.timestamp_micros()).collect()),
        texts(|row| row.actor.clone()),
        texts(|row| row.command.to_string()),
        some(|row| row.causation.map(|id| id.to_string())),
        texts(|row| row.correlation.to_string()),
        some(|row| row.reason.clone()),
        texts(|row| row.record.clone()),
    ]
}

fn parquet(rows: &[Row]) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(COLUMNS)?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let mut columns = columns(rows).into_iter();
    while let (Some(mut writer), Some(column)) = (group.next_column()?, columns.next()) {
        match (writer.untyped(), &column) {
            (ColumnWriter::Int64ColumnWriter(to), Column::Numbers(numbers)) => {
                to.write_batch(numbers, None, None)?;
            }
            (ColumnWriter::ByteArrayColumnWriter(to), Column::Texts(texts)) => {
                to.write_batch(texts, None, None)?;
            }
            (ColumnWriter::ByteArrayColumnWriter(to), Column::Some(texts, is_there)) => {
                to.write_batch(texts, Some(is_there), None)?;
            }
            (_, _) => return Err(ParquetError::General("a column of another kind".to_owned())),
        }
        writer.close()?;
    }
    group.close()?;
    file.close()?;
    Ok(bytes)
}

fn of_parquet(bytes: Vec<u8>) -> Result<Vec<(u64, Vec<u8>)>, ParquetError> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes))?;
    let rows = reader.get_row_iter(None)?;
    rows.map(|row| {
        let row = row?;
        Ok((row.get_ulong(0)?, row.get_string(RECORD_COLUMN)?.clone().into_bytes()))
    })
    .collect()
}
