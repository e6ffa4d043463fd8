//! What is known of commands by their names alone: those that are never lent, those that stand before a subcommand, and those that reach
//! keys which no table tells. Names are in capitals.
//!
//! The server's own table says more (`table.rs`); these lists hold also for servers that say less.

/// The longest name of a command or subcommand.
pub(super) const WORD_BYTES_MAX: usize = 64;

const CONNECTION: &str = "it changes the connection, which is the host's";
const TRANSACTION: &str = "it begins or ends a transaction on the connection; hint: `run-many` sends commands together";
const STREAM: &str = "it turns the connection into a stream";
pub(super) const BLOCKING: &str = "it may wait on the server";
const HASHES: &str = "it tells the hashes of passwords";
pub(super) const OTHER_DATABASE: &str = "it reaches another database than the source's";

/// The form of every name: letters, digits, `.`, `_` and `-`.
pub(super) fn is_word(bytes: &[u8]) -> bool {
    let fits = (1..=WORD_BYTES_MAX).contains(&bytes.len());
    fits && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Why a command is refused whatever is granted; None for one that can be granted. `second` is its first argument, where that is a word.
pub(super) fn refused(name: &str, second: Option<&str>) -> Option<&'static str> {
    match name {
        "AUTH" | "HELLO" | "SELECT" | "RESET" | "QUIT" | "READONLY" | "READWRITE" | "ASKING" => Some(CONNECTION),
        "CLIENT" if !second.is_some_and(leaves_the_connection) => Some(CONNECTION),
        // From then on the connection's scripts are debugged: whoever has it next would speak with the debugger.
        "SCRIPT" if second == Some("DEBUG") => Some(CONNECTION),
        "MULTI" | "EXEC" | "DISCARD" | "WATCH" | "UNWATCH" => Some(TRANSACTION),
        "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" | "MONITOR" | "SYNC" | "PSYNC"
        | "REPLCONF" => Some(STREAM),
        "BLPOP" | "BRPOP" | "BRPOPLPUSH" | "BLMOVE" | "BLMPOP" | "BZPOPMIN" | "BZPOPMAX" | "BZMPOP" | "WAIT" | "WAITAOF" => Some(BLOCKING),
        "ACL" if matches!(second, Some("LIST" | "GETUSER")) => Some(HASHES),
        _ => None,
    }
}

/// Subcommands of `CLIENT` that change nothing on the connection that they are sent over. Those not listed are refused: new ones may.
fn leaves_the_connection(second: &str) -> bool {
    matches!(second, "ID" | "INFO" | "LIST" | "GETNAME" | "GETREDIR" | "TRACKINGINFO" | "KILL" | "PAUSE" | "UNPAUSE" | "UNBLOCK" | "HELP")
}

/// Commands that mean nothing without a subcommand.
pub(super) fn is_container(name: &str) -> bool {
    matches!(
        name,
        "ACL"
            | "CLIENT"
            | "CLUSTER"
            | "CONFIG"
            | "DEBUG"
            | "FUNCTION"
            | "LATENCY"
            | "MEMORY"
            | "MODULE"
            | "OBJECT"
            | "PUBSUB"
            | "SCRIPT"
            | "SENTINEL"
            | "SLOWLOG"
            | "XGROUP"
            | "XINFO"
    )
}

/// Why a command can reach or tell of keys that are not among its arguments.
pub(super) fn beyond_its_keys(name: &str, second: Option<&str>) -> Option<&'static str> {
    match name {
        "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => Some("a script can use any key"),
        "KEYS" | "SCAN" | "RANDOMKEY" => Some("it tells the names of keys"),
        "CLUSTER" if second == Some("GETKEYSINSLOT") => Some("it tells the names of keys"),
        "FLUSHALL" | "FLUSHDB" | "SWAPDB" | "DEBUG" => Some("it reaches every key"),
        "MOVE" => Some(OTHER_DATABASE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_client_only_what_leaves_the_connection_alone_can_be_granted() {
        for second in ["ID", "INFO", "LIST", "KILL", "GETNAME"] {
            assert_eq!(refused("CLIENT", Some(second)), None, "{second}");
        }
        for second in ["REPLY", "NO-EVICT", "NO-TOUCH", "TRACKING", "SETNAME", "SETINFO", "CACHING", "CAPA", "OF-A-LATER-VERSION"] {
            assert!(refused("CLIENT", Some(second)).is_some(), "{second}");
        }
        assert!(refused("CLIENT", None).is_some(), "an argument that is no word is no subcommand");
    }

    #[test]
    fn of_script_only_the_debugger_changes_the_connection() {
        assert!(refused("SCRIPT", Some("DEBUG")).is_some());
        for second in ["LOAD", "EXISTS", "KILL", "FLUSH"] {
            assert_eq!(refused("SCRIPT", Some(second)), None, "{second}");
        }
    }

    #[test]
    fn a_word_has_no_blank_no_quote_and_no_bar() {
        for word in ["INFO", "ft.search", "_FT.CONFIG", "GETUSER", "NO-EVICT"] {
            assert!(is_word(word.as_bytes()), "{word}");
        }
        let long = "A".repeat(WORD_BYTES_MAX + 1);
        for word in ["", "A B", "A\r\n", "\"", "CLIENT|LIST", "é", "A\0", long.as_str()] {
            assert!(!is_word(word.as_bytes()), "{word:?}");
        }
    }
}
