//! Checks of a Redis server, by the name of a source.
//!
//! One file per kind, all of the same shape: configuration with defaults that mean something, one round trip or two, a pure
//! judgement. What a kind counts "since the last run" it keeps by `trend` of the SDK.

mod clients;
mod command;
mod hit_ratio;
mod memory;
mod persistence;
mod queue_depth;
mod replication;
mod slowlog;

use clients::Clients;
use command::Command;
use hit_ratio::HitRatio;
use memory::Memory;
use persistence::Persistence;
use queue_depth::QueueDepth;
use replication::Replication;
use slowlog::Slowlog;

sickbay_sdk::plugin! {
    name: "redis",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Redis: memory, clients, hit ratio, persistence, replication, queues, slow commands",
    checks: [Memory, Clients, HitRatio, Persistence, Replication, QueueDepth, Slowlog, Command],
}

/// The grant of every kind that only reads `INFO`.
pub(crate) const INFO_GRANT: &str = "redis = [{ source = \"{source}\", commands = [\"INFO\"] }]";

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_well_described;

    use super::*;

    #[test]
    fn the_kinds_are_described_as_the_host_asks() {
        assert_well_described::<Memory>();
        assert_well_described::<Clients>();
        assert_well_described::<HitRatio>();
        assert_well_described::<Persistence>();
        assert_well_described::<Replication>();
        assert_well_described::<QueueDepth>();
        assert_well_described::<Slowlog>();
        assert_well_described::<Command>();
    }
}
