//! Tables for people: aligned columns, and a last one that is free.
//!
//! Limits: on a terminal a [`Last::Cut`] table is no wider than it, as far as [`CELL_CHARACTERS_MIN`] of each column allow. Elsewhere (a
//! pipe, a file) nothing is cut or wrapped.
//!
//! Invariant: what is cut ends with `…`. Cells are fit for a terminal before they come here.

use std::borrow::Cow;
use std::io::IsTerminal;

/// Between two columns.
const GAP: &str = "  ";
/// No column is made narrower than this.
const CELL_CHARACTERS_MIN: usize = 16;
const COLOUR_END: &str = "\u{1b}[0m";

/// What becomes of cells for which a line has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// The last is cut, then the first, then the others from the right.
    Cut,
    /// The last goes on below itself; the others stay whole.
    Wrapped,
}

/// How wide a table may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// None where nobody looks at a terminal.
    pub line_characters_max: Option<usize>,
    pub last: Last,
}

impl Layout {
    pub(super) fn for_stdout(last: Last) -> Layout {
        let stdout = std::io::stdout();
        let size = if stdout.is_terminal() { rustix::termios::tcgetwinsize(&stdout).ok() } else { None };
        // Some terminals do not know their size.
        Layout { line_characters_max: size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0), last }
    }
}

/// `colour_of` gives what begins the colour of the cell at a row and a column.
pub(super) fn table<const COLUMNS: usize>(
    rows: &[[String; COLUMNS]],
    layout: Layout,
    colour_of: impl Fn(usize, usize) -> Option<&'static str>,
) -> String {
    let widths = widths(rows, layout);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            if column + 1 == COLUMNS && layout.last == Last::Wrapped {
                let indent = line.chars().count();
                line.push_str(&wrapped(cell, width).join(&format!("\n{:indent$}", "")));
                continue;
            }
            let shown = cut(cell, width);
            let padding = width - shown.chars().count();
            match colour_of(index, column) {
                Some(colour) => line.extend([colour, &*shown, COLOUR_END]),
                None => line.push_str(&shown),
            }
            line.extend(std::iter::repeat_n(' ', padding));
            line.push_str(GAP);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn widths<const COLUMNS: usize>(rows: &[[String; COLUMNS]], layout: Layout) -> [usize; COLUMNS] {
    let mut widths: [usize; COLUMNS] = std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let Some(line_characters_max) = layout.line_characters_max else { return widths };
    let gaps = GAP.len() * COLUMNS.saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(line_characters_max);
    let last = COLUMNS.saturating_sub(1);
    let order: Vec<usize> = match layout.last {
        Last::Cut => [last, 0].into_iter().chain((1..last).rev()).collect(),
        Last::Wrapped => vec![last],
    };
    for column in order {
        let given = excess.min(widths[column].saturating_sub(CELL_CHARACTERS_MIN));
        widths[column] -= given;
        excess -= given;
    }
    widths
}

/// The text with `…` in place of what is too long.
pub(super) fn cut(text: &str, characters_max: usize) -> Cow<'_, str> {
    if text.chars().count() <= characters_max {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(characters_max.saturating_sub(1)).collect();
    Cow::Owned(format!("{kept}…"))
}

/// Lines of whole words; a longer word has a line of its own.
fn wrapped(text: &str, characters_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= characters_max => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[[&str; 3]]) -> Vec<[String; 3]> {
        rows.iter().map(|row| row.map(str::to_owned)).collect()
    }

    fn drawn(cells: &[[&str; 3]], line_characters_max: Option<usize>, last: Last) -> String {
        table(&rows(cells), Layout { line_characters_max, last }, |_, _| None)
    }

    const LONG: [[&str; 3]; 2] =
        [["NAME", "STATE", "SUMMARY"], ["a-name-of-twenty-six-signs", "hard", "one two three four five six seven eight"]];

    #[test]
    fn where_nobody_looks_at_a_terminal_nothing_is_cut() {
        let text = drawn(&LONG, None, Last::Cut);
        let expected = format!("NAME{:24}STATE  SUMMARY\na-name-of-twenty-six-signs  hard   one two three four five six seven eight\n", "");
        assert_eq!(text, expected);
        assert_eq!(text, drawn(&LONG, None, Last::Wrapped));
    }

    #[test]
    fn on_a_terminal_the_last_column_gives_way_first_and_then_the_first() {
        for (room, expected) in [
            (60, "a-name-of-twenty-six-signs  hard   one two three four five …"),
            (43, "a-name-of-twenty-…  hard   one two three f…"),
            // No narrower than this.
            (10, "a-name-of-twent…  hard   one two three f…"),
        ] {
            let text = drawn(&LONG, Some(room), Last::Cut);
            let line = text.lines().nth(1).unwrap_or_default();
            assert!(line.chars().count() <= room.max(41), "{line}");
            assert_eq!(line, expected, "{room}");
        }
    }

    #[test]
    fn a_wrapped_column_goes_on_below_itself() {
        let text = drawn(&LONG, Some(60), Last::Wrapped);
        let expected =
            format!("NAME{:24}STATE  SUMMARY\na-name-of-twenty-six-signs  hard   one two three four five\n{:35}six seven eight\n", "", "");
        assert_eq!(text, expected);
    }

    #[test]
    fn words_are_wrapped_whole() {
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrapped("a much-longer-word b", 6), ["a", "much-longer-word", "b"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn colours_do_not_move_the_columns() {
        let plain = drawn(&LONG, None, Last::Cut);
        let layout = Layout { line_characters_max: None, last: Last::Cut };
        let coloured = table(&rows(&LONG), layout, |row, column| (row == 1 && column == 1).then_some("\u{1b}[32m"));
        assert!(coloured.contains("\u{1b}[32mhard\u{1b}[0m "), "{coloured}");
        assert_eq!(coloured.replace("\u{1b}[32m", "").replace(COLOUR_END, ""), plain);
    }
}
