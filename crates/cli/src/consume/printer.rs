//! Records as lines on stdout.

use ottla_client::{Fetched, FetchedRecord};

use crate::args::{ConsumeArgs, Field, OutputForm};
use crate::failure::Failure;
use crate::json_record::{Formats, to_json};
use crate::output::Output;

/// Writes records as lines.
pub(super) struct Printer {
    pub output: Output,
    pub form: OutputForm,
    pub args: ConsumeArgs,
}

impl Printer {
    /// Prints one record.
    pub(super) fn print(&mut self, fetched: &Fetched, record: &FetchedRecord<'_>) -> Result<(), Failure> {
        let printed = match self.form {
            OutputForm::Json => self.print_json(fetched, record),
            OutputForm::Table => self.print_text(fetched, record),
        };
        printed.map_err(|trouble| match trouble {
            Trouble::Output(failure) => failure,
            Trouble::Record(reason) => {
                Failure::new(format!("{}-{} at offset {}: {reason}", fetched.topic, fetched.partition, record.offset))
            }
        })
    }

    fn print_json(&mut self, fetched: &Fetched, record: &FetchedRecord<'_>) -> Result<(), Trouble> {
        let formats = Formats { key: self.args.key_format, value: self.args.value_format };
        let object = to_json(&fetched.topic, fetched.partition, record, formats).map_err(Trouble::Record)?;
        Ok(self.output.line(&object.to_string())?)
    }

    fn print_text(&mut self, fetched: &Fetched, record: &FetchedRecord<'_>) -> Result<(), Trouble> {
        let Self { output, args, .. } = self;
        let null = args.null.as_bytes();
        let key = match record.key {
            Some(key) => args.key_format.encode(key).map_err(|reason| Trouble::Record(format!("the key {reason}")))?,
            None => null.into(),
        };
        for field in &args.print {
            match field {
                Field::Key => output.write(&key)?,
                Field::Offset => output.write(record.offset.to_string().as_bytes())?,
                Field::Partition => output.write(fetched.partition.to_string().as_bytes())?,
                Field::Timestamp => output.write(record.timestamp.to_string().as_bytes())?,
                Field::Headers => {
                    for (i, header) in record.headers.clone().enumerate() {
                        output.write(if i == 0 { b"" } else { b"," })?;
                        output.write(header.key)?;
                        output.write(b"=")?;
                        output.write(header.value.unwrap_or(null))?;
                    }
                }
            }
            output.write(b"\t")?;
        }
        if let Some(separator) = &args.key_separator {
            output.write(&key)?;
            output.write(separator.as_bytes())?;
        }
        match record.value {
            Some(value) => {
                let text = args.value_format.encode(value);
                output.write(&text.map_err(|reason| Trouble::Record(format!("the value {reason}")))?)?;
            }
            None => output.write(null)?,
        }
        Ok(output.write(b"\n")?)
    }
}

/// Why a record was not printed.
enum Trouble {
    /// Nothing can be printed any more.
    Output(Failure),
    /// The record is not what it was said to be.
    Record(String),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Output(failure)
    }
}
