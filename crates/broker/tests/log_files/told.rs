//! Two log directories compared file by file, and the list of what may differ.
//!
//! Files that are the same bytes are the same. All others are told line by line, with a mask over what two runs of one
//! Kafka would not have in common either, and must then read alike:
//!
//! | where | masked | why |
//! |---|---|---|
//! | `partition.metadata` | the topic's id | drawn by chance |
//! | `meta.properties` | the ids of cluster and directory, the date, the order of the lines | drawn, told by the clock, a hash map's |
//! | `.kafka_cleanshutdown` | the broker's epoch | an offset of the metadata log, which is each broker's own |
//! | `*-offset-checkpoint` | the order of the lines | a hash map's |
//! | batches, `leader-epoch-checkpoint` | of leader epochs all but their order | a restart raises them by other steps |
//! | `leader-epoch-checkpoint` | epochs that begin at the log's end | without a record they are not worth a file to Ottla: docs/deviations.md |
//! | topics named `stamped…` | timestamps of our days, with the CRC over them | LogAppendTime is told by the clock |
//! | `__consumer_offsets` | timestamps of our days, in records too, with the CRC over them; its time index; ids of topics and the random ends of members' ids | told by the clock, or drawn |
//! | topics named `packed…` | compressed bytes, their length and CRC: the uncompressed are compared; in the index, the batch that an entry points at instead of its position | each codec's library has its own way to say the same |

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ottla_record::{Batches, Codec, RecordBatch, Scratch, TimestampType};
use ottla_types::Uuid;

use super::recorded::Files;

/// Uncompressed bytes that a batch here may have at most.
const RECORDS_BYTES_MAX: usize = 16 << 20;
/// No clock is set to earlier than this.
const CLOCK: i64 = 1_600_000_000_000;
/// Differing lines that are shown of one file.
const SHOWN_MAX: usize = 5;

/// What a comparison came to.
pub(super) struct Compared {
    /// Files that are the same bytes.
    pub(super) same: usize,
    /// Files that read alike behind the masks.
    pub(super) masked: usize,
    /// A text for each file that differs.
    pub(super) differences: Vec<String>,
}

/// Compares all files.
pub(super) fn compare(ours: &Files, kafkas: &Files) -> Compared {
    let mut compared = Compared { same: 0, masked: 0, differences: Vec::new() };
    for path in ours.keys().chain(kafkas.keys().filter(|path| !ours.contains_key(*path))) {
        let differing = match (ours.get(path), kafkas.get(path)) {
            (Some(our), Some(kafkas)) if our == kafkas => {
                compared.same += 1;
                continue;
            }
            (Some(_), Some(_)) => differing_lines(&tell(path, ours), &tell(path, kafkas)),
            (Some(_), None) => Some("  only Ottla has it\n".to_owned()),
            (None, _) => Some("  only Kafka has it\n".to_owned()),
        };
        match differing {
            Some(lines) => compared.differences.push(format!("{path}\n{lines}")),
            None => compared.masked += 1,
        }
    }
    compared
}

fn differing_lines(ours: &[String], kafkas: &[String]) -> Option<String> {
    let line = |lines: &[String], at: usize| lines.get(at).map_or("(nothing more)", |line| line).to_owned();
    let pairs = (0..ours.len().max(kafkas.len())).map(|at| (line(ours, at), line(kafkas, at)));
    let mut text = String::new();
    for (ours, kafkas) in pairs.filter(|(ours, kafkas)| ours != kafkas).take(SHOWN_MAX) {
        let _ = writeln!(text, "  kafka: {kafkas}\n  ottla: {ours}");
    }
    (!text.is_empty()).then_some(text)
}

/// A file of a log directory, line by line, with the masks on.
fn tell(path: &str, files: &Files) -> Vec<String> {
    let bytes = &files[path];
    let (folder, name) = path.split_once('/').unwrap_or(("", path));
    let partition = Partition { folder, files };
    match name.rsplit_once('.').map_or(name, |(_, ending)| ending) {
        "log" => partition.log(bytes),
        "index" => partition.offset_index(name, bytes),
        // Whether a time is later than the one before is the clock's business.
        "timeindex" if partition.is_of_groups() => Vec::new(),
        "timeindex" => partition.time_index(bytes),
        "snapshot" => partition.snapshot(bytes),
        "leader-epoch-checkpoint" => partition.epochs(bytes),
        "metadata" => text(bytes).lines().map(|line| hide(line, &["topic_id: "])).collect(),
        "properties" => {
            let lines = text(bytes).lines().filter(|line| !line.starts_with('#'));
            sorted(lines.map(|line| hide(line, &["cluster.id=", "directory.id="])))
        }
        "kafka_cleanshutdown" => {
            let end = text(bytes).find("\"brokerEpoch\"").unwrap_or(bytes.len());
            vec![text(&bytes[..end]).to_owned()]
        }
        ending if ending.ends_with("-offset-checkpoint") => sorted(text(bytes).lines().map(str::to_owned)),
        _ => vec![hex(bytes)],
    }
}

/// A partition's folder.
struct Partition<'a> {
    folder: &'a str,
    files: &'a Files,
}

impl Partition<'_> {
    fn is_stamped(&self) -> bool {
        self.folder.starts_with("stamped")
    }

    fn is_packed(&self) -> bool {
        self.folder.starts_with("packed")
    }

    /// Whether it belongs to the topic of groups: the broker writes what its clock says.
    fn is_of_groups(&self) -> bool {
        self.folder.starts_with("__consumer_offsets-")
    }

    fn time(&self, time: i64) -> String {
        // The scripts' own times are those of 1970.
        if (self.is_stamped() || self.is_of_groups()) && time > CLOCK { "…".to_owned() } else { time.to_string() }
    }

    /// The files in this folder.
    fn of_this(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        // In ASCII 0 follows the slash.
        self.files.range(format!("{}/", self.folder)..format!("{}0", self.folder))
    }

    /// The leader epochs that appended something or began, in their order.
    fn epoch_order(&self) -> Vec<i32> {
        let mut epochs = BTreeSet::new();
        for (path, bytes) in self.of_this() {
            if path.ends_with(".log") {
                epochs.extend(Batches::new(bytes).flatten().map(|batch| batch.header().partition_leader_epoch.0));
            } else if path.ends_with("/leader-epoch-checkpoint") {
                epochs
                    .extend(text(bytes).lines().skip(2).filter_map(|line| line.split(' ').next()?.parse::<i32>().ok()));
            }
        }
        epochs.into_iter().collect()
    }

    fn epoch(&self, epoch: i32) -> String {
        let rank = self.epoch_order().iter().position(|known| *known == epoch);
        rank.map_or_else(|| format!("unknown {epoch}"), |rank| format!("#{rank}"))
    }

    /// Behind its last record.
    fn end(&self) -> i64 {
        let batches =
            self.of_this().filter(|(path, _)| path.ends_with(".log")).flat_map(|(_, bytes)| Batches::new(bytes));
        batches.flatten().map(|batch| batch.header().next_offset().0).max().unwrap_or(0)
    }

    fn epochs(&self, bytes: &[u8]) -> Vec<String> {
        let text = text(bytes);
        let entry = |line: &str| {
            let (epoch, start) = line.split_once(' ')?;
            Some((epoch.parse::<i32>().ok()?, start.parse::<i64>().ok()?))
        };
        let entries: Option<Vec<_>> = text.lines().skip(2).map(entry).collect();
        let Some(entries) = entries else { return vec![format!("no epochs: {text}")] };
        let head = format!("0\n{}\n", entries.len());
        if !text.is_empty() && !text.starts_with(&head) {
            return vec![format!("not a head for {} epochs: {text}", entries.len())];
        }
        let with_records = entries.iter().filter(|(_, start)| *start < self.end());
        with_records.map(|(epoch, start)| format!("{} from {start}", self.epoch(*epoch))).collect()
    }

    fn log(&self, bytes: &[u8]) -> Vec<String> {
        let mut batches = Batches::new(bytes);
        let mut lines: Vec<_> = batches
            .by_ref()
            .map(|batch| batch.map_or_else(|error| error.to_string(), |batch| self.batch(&batch)))
            .collect();
        let rest = &bytes[batches.position()..];
        if !rest.is_empty() {
            lines.push(format!("no batch: {}", hex(rest)));
        }
        lines
    }

    fn batch(&self, batch: &RecordBatch<'_>) -> String {
        let it = batch.header();
        let packed = self.is_packed() && it.codec().is_ok_and(|codec| codec != Codec::None);
        let mut records = Vec::new();
        if packed {
            let read = batch.decompress(&mut Scratch::default(), RECORDS_BYTES_MAX, &mut records);
            read.unwrap_or_else(|error| panic!("{}: {error}", self.folder));
        } else {
            records.extend_from_slice(batch.payload());
        }
        if self.is_of_groups() {
            hide_drawn(&mut records, self.files);
        }
        let sound = batch.check_crc().map_or_else(|error| error.to_string(), |()| "sound".to_owned());
        let crc = if packed || self.is_stamped() || self.is_of_groups() {
            "…".to_owned()
        } else {
            format!("{:08x}", it.crc)
        };
        let length = if packed { "…".to_owned() } else { it.batch_length.to_string() };
        let stamped = it.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let clock =
            if stamped == self.is_stamped() { "" } else { " with a timestamp type that the topic's name denies" };
        format!(
            "{} length {length} epoch {} crc {crc} ({sound}) attributes {:#x}{clock} last {} times {} {} producer {} {} {} \
             records {}: {}",
            it.base_offset,
            self.epoch(it.partition_leader_epoch.0),
            it.attributes.0,
            it.last_offset_delta,
            self.time(it.base_timestamp.0),
            self.time(it.max_timestamp.0),
            it.producer_id,
            it.producer_epoch.0,
            it.base_sequence.0,
            it.record_count,
            hex(&records),
        )
    }

    fn offset_index(&self, name: &str, bytes: &[u8]) -> Vec<String> {
        let log = &self.files[&format!("{}/{}", self.folder, name.replace(".index", ".log"))];
        let entry = |entry: &[u8]| {
            let offset = i32::from_be_bytes(entry[..4].try_into().expect("four of eight"));
            let position = i32::from_be_bytes(entry[4..].try_into().expect("four of eight"));
            if !self.is_packed() {
                return format!("{offset} at {position}");
            }
            let at = usize::try_from(position).ok().and_then(|at| RecordBatch::parse(log.get(at..)?).ok());
            at.map_or_else(
                || format!("{offset} at {position}, where no batch is"),
                |batch| format!("{offset} at the batch {}", batch.header().base_offset),
            )
        };
        entries(bytes, 8, entry)
    }

    fn time_index(&self, bytes: &[u8]) -> Vec<String> {
        entries(bytes, 12, |entry| {
            let time = i64::from_be_bytes(entry[..8].try_into().expect("eight of twelve"));
            let offset = i32::from_be_bytes(entry[8..].try_into().expect("four of twelve"));
            format!("{} at {offset}", self.time(time))
        })
    }

    fn snapshot(&self, bytes: &[u8]) -> Vec<String> {
        let Some((head, producers)) = bytes.split_at_checked(10) else { return vec![hex(bytes)] };
        let crc = if self.is_stamped() { "…".to_owned() } else { hex(&head[2..6]) };
        let mut lines = vec![format!("version {} crc {crc} count {}", hex(&head[..2]), hex(&head[6..]))];
        lines.extend(entries(producers, 46, |it| {
            let time = i64::from_be_bytes(it[26..34].try_into().expect("eight of them"));
            format!("{} {} {}", hex(&it[..26]), self.time(time), hex(&it[34..]))
        }));
        lines
    }
}

/// Takes from records of groups what is told by the clock or drawn by chance: ids of topics, timestamps of our days, and
/// UUIDs as text.
fn hide_drawn(records: &mut [u8], files: &Files) {
    const UUID: &[u8] = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    let metadata = files.iter().filter(|(path, _)| path.ends_with("/partition.metadata"));
    let ids = metadata.filter_map(|(_, bytes)| text(bytes).lines().find_map(|line| line.strip_prefix("topic_id: ")));
    let ids: Vec<Uuid> = ids.map(|id| id.parse().expect("an id")).collect();
    for at in 0..records.len() {
        let is_digit = |(byte, like): (&u8, &u8)| if *like == b'-' { *byte == b'-' } else { byte.is_ascii_hexdigit() };
        let rest = &mut records[at..];
        if ids.iter().any(|id| rest.starts_with(&id.0)) {
            rest[..16].fill(b'i');
        } else if rest.len() >= UUID.len() && rest.iter().zip(UUID).all(is_digit) {
            rest[..UUID.len()].copy_from_slice(UUID);
        } else if rest.first_chunk().is_some_and(|time| (CLOCK..2 * CLOCK).contains(&i64::from_be_bytes(*time))) {
            rest[..8].fill(b't');
        }
    }
}

/// A file of entries of one size, and what is left behind them.
fn entries(bytes: &[u8], size: usize, entry: impl Fn(&[u8]) -> String) -> Vec<String> {
    let whole = bytes.chunks_exact(size);
    let rest = whole.remainder();
    let rest = (!rest.is_empty()).then(|| format!("no entry: {}", hex(rest)));
    whole.map(entry).chain(rest).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("(no text)")
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

/// The line without what stands behind one of `names`.
fn hide(line: &str, names: &[&str]) -> String {
    match names.iter().find(|name| line.starts_with(**name)) {
        Some(name) => format!("{name}…"),
        None => line.to_owned(),
    }
}

/// All bytes; of many their number and CRC.
fn hex(bytes: &[u8]) -> String {
    if bytes.len() > 200 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        return format!("{} bytes {:08x}", bytes.len(), crc.sum());
    }
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
