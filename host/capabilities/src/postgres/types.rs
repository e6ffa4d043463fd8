//! The server's types: which arm of the contract each has, and what it is called.

use std::borrow::Cow;

/// The server's number for a type.
pub(super) type Oid = u32;

/// A type, by its name in `pg_type`: `int4`, `timestamptz`, `_text` for an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) name: Cow<'static, str>,
    pub(super) shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One(Scalar),
    List(Scalar),
    /// Told as the server prints it.
    Other,
}

/// The types that have an arm of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Boolean,
    Int,
    Float,
    Numeric,
    Text,
    Bytes,
    Json,
    Uuid,
    Timestamp,
    Date,
    Time,
    Interval,
}

pub(super) const BOOL: Oid = 16;
pub(super) const BYTEA: Oid = 17;
pub(super) const INT8: Oid = 20;
pub(super) const INT4: Oid = 23;
pub(super) const FLOAT8: Oid = 701;
pub(super) const DATE: Oid = 1082;
pub(super) const TIME: Oid = 1083;
pub(super) const TIMESTAMPTZ: Oid = 1184;
pub(super) const INTERVAL: Oid = 1186;
pub(super) const NUMERIC: Oid = 1700;
pub(super) const UUID: Oid = 2950;
/// The server finds out from where the parameter stands.
pub(super) const UNSPECIFIED: Oid = 0;

/// Types with an arm: their number, name, array's number.
const WITH_ARM: [(Oid, &str, Oid, Scalar); 24] = [
    (BOOL, "bool", 1000, Scalar::Boolean),
    (BYTEA, "bytea", 1001, Scalar::Bytes),
    (18, "char", 1002, Scalar::Text),
    (19, "name", 1003, Scalar::Text),
    (INT8, "int8", 1016, Scalar::Int),
    (21, "int2", 1005, Scalar::Int),
    (INT4, "int4", 1007, Scalar::Int),
    (25, "text", 1009, Scalar::Text),
    (26, "oid", 1028, Scalar::Int),
    (114, "json", 199, Scalar::Json),
    (700, "float4", 1021, Scalar::Float),
    (FLOAT8, "float8", 1022, Scalar::Float),
    (1042, "bpchar", 1014, Scalar::Text),
    (1043, "varchar", 1015, Scalar::Text),
    (DATE, "date", 1182, Scalar::Date),
    (TIME, "time", 1183, Scalar::Time),
    (1114, "timestamp", 1115, Scalar::Timestamp),
    (TIMESTAMPTZ, "timestamptz", 1185, Scalar::Timestamp),
    (INTERVAL, "interval", 1187, Scalar::Interval),
    (NUMERIC, "numeric", 1231, Scalar::Numeric),
    (UUID, "uuid", 2951, Scalar::Uuid),
    (3802, "jsonb", 3807, Scalar::Json),
    (705, "unknown", UNSPECIFIED, Scalar::Text),
    (2275, "cstring", UNSPECIFIED, Scalar::Text),
];

/// Types without an arm that checks meet often: naming them here saves a question to the server.
const WITHOUT_ARM: [(Oid, &str); 26] = [
    (24, "regproc"),
    (27, "tid"),
    (28, "xid"),
    (29, "cid"),
    (30, "oidvector"),
    (142, "xml"),
    (650, "cidr"),
    (774, "macaddr8"),
    (790, "money"),
    (829, "macaddr"),
    (869, "inet"),
    (1266, "timetz"),
    (1560, "bit"),
    (1562, "varbit"),
    (2205, "regclass"),
    (2206, "regtype"),
    (2249, "record"),
    (2278, "void"),
    (3220, "pg_lsn"),
    (3614, "tsvector"),
    (3904, "int4range"),
    (3910, "tstzrange"),
    (4089, "regnamespace"),
    (4096, "regrole"),
    (5038, "pg_snapshot"),
    (5069, "xid8"),
];

/// None for a type that only the server knows.
pub(super) fn builtin(oid: Oid) -> Option<Type> {
    for (one, name, array, scalar) in WITH_ARM {
        if one == oid {
            return Some(Type { name: Cow::Borrowed(name), shape: Shape::One(scalar) });
        }
        if array == oid && array != UNSPECIFIED {
            return Some(Type { name: Cow::Owned(format!("_{name}")), shape: Shape::List(scalar) });
        }
    }
    let &(_, name) = WITHOUT_ARM.iter().find(|(one, _)| *one == oid)?;
    Some(Type { name: Cow::Borrowed(name), shape: Shape::Other })
}

/// A type that could not be asked for.
pub(super) fn nameless(oid: Oid) -> Type {
    Type { name: Cow::Owned(format!("oid {oid}")), shape: Shape::Other }
}

/// What `pg_type` says of one type.
pub(super) struct Described<'row> {
    pub(super) name: &'row str,
    /// `e` for an enum.
    pub(super) kind: &'row str,
    /// Of an array.
    pub(super) element: Option<(Oid, &'row str)>,
}

impl Described<'_> {
    pub(super) fn into_type(self) -> Type {
        let scalar = |element: (Oid, &str)| match (element.1, builtin(element.0)) {
            ("e", _) => Some(Scalar::Text),
            (_, Some(Type { shape: Shape::One(scalar), .. })) => Some(scalar),
            _ => None,
        };
        let shape = match self.element {
            None if self.kind == "e" => Shape::One(Scalar::Text),
            None => Shape::Other,
            Some(element) => scalar(element).map_or(Shape::Other, Shape::List),
        };
        Type { name: Cow::Owned(self.name.to_owned()), shape }
    }
}

/// Asks for types by number: their name and kind, and of an array those of its element.
pub(super) fn question(oids: &[Oid]) -> String {
    let list = oids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT t.oid, t.typname, t.typtype, e.oid, e.typtype FROM pg_catalog.pg_type t \
         LEFT JOIN pg_catalog.pg_type e ON t.typcategory = 'A' AND e.oid = t.typelem WHERE t.oid IN ({list})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_stands_twice() {
        let mut oids: Vec<Oid> = WITH_ARM.iter().flat_map(|(one, _, array, _)| [*one, *array]).filter(|oid| *oid != UNSPECIFIED).collect();
        oids.extend(WITHOUT_ARM.iter().map(|(oid, _)| *oid));
        let count = oids.len();
        oids.sort_unstable();
        oids.dedup();
        assert_eq!(oids.len(), count);
    }

    #[test]
    fn an_array_is_a_list_where_its_element_has_an_arm() {
        assert_eq!(builtin(1007), Some(Type { name: "_int4".into(), shape: Shape::List(Scalar::Int) }));
        assert_eq!(builtin(0), None);
        let described = |kind, element| Described { name: "x", kind, element }.into_type().shape;
        assert_eq!(described("e", None), Shape::One(Scalar::Text));
        assert_eq!(described("c", None), Shape::Other);
        assert_eq!(described("b", Some((16400, "e"))), Shape::List(Scalar::Text));
        assert_eq!(described("b", Some((2205, "b"))), Shape::Other);
    }
}
