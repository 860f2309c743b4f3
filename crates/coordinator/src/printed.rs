//! Facts and answers as one line of text each, for scripts and logs.

use std::fmt;

use ottla_types::ErrorCode;

use crate::fact::Fact;
use crate::request::{Joined, Left, Reply, Synced};

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClassicGroup { group, value: None } => write!(f, "{group}: gone"),
            Self::ClassicGroup { group, value: Some(value) } => {
                write!(f, "{group}: generation {}", value.generation)?;
                if let Some(protocol) = &value.protocol {
                    write!(f, " {}/{protocol}", value.protocol_type)?;
                }
                if let Some(leader) = &value.leader {
                    write!(f, " led by {leader}")?;
                }
                for member in &value.members {
                    let assignment = String::from_utf8_lossy(&member.assignment);
                    write!(f, " {}={assignment}", member.member_id)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JoinGroup(joined) => joined.fmt(f),
            Self::SyncGroup(synced) => synced.fmt(f),
            Self::Heartbeat(error) => write!(f, "heartbeat {error}"),
            Self::LeaveGroup(left) => left.fmt(f),
        }
    }
}

impl fmt::Display for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.error != ErrorCode::None {
            let member = if self.member.is_empty() { "-" } else { &*self.member };
            return write!(f, "join {} {member}", self.error);
        }
        let protocol = self.protocol.as_deref().unwrap_or("-");
        write!(f, "join {} generation {} {protocol} led by {}", self.member, self.generation, self.leader)?;
        if self.skip_assignment {
            write!(f, ", assigned before")?;
        }
        for member in &self.members {
            write!(f, " {}", member.member)?;
            if let Some(instance) = &member.instance {
                write!(f, "({instance})")?;
            }
            write!(f, "={}", String::from_utf8_lossy(&member.metadata))?;
        }
        Ok(())
    }
}

impl fmt::Display for Synced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.error != ErrorCode::None {
            return write!(f, "sync {}", self.error);
        }
        let protocol = self.protocol.as_deref().unwrap_or("-");
        write!(f, "sync {protocol} \"{}\"", String::from_utf8_lossy(&self.assignment))
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leave {}", self.error)?;
        for (leaver, error) in &self.members {
            let name = if leaver.member.is_empty() { "-" } else { &leaver.member };
            write!(f, " {name}")?;
            if let Some(instance) = &leaver.instance {
                write!(f, "({instance})")?;
            }
            write!(f, ":{error}")?;
        }
        Ok(())
    }
}
