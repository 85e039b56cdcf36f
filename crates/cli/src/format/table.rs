//! Columns of text, aligned as Go's `text/tabwriter` aligns them with the settings that Docker uses.

/// No column is narrower.
const MINIMUM_WIDTH: usize = 10;
/// Blanks after the longest cell of a column.
const PADDING: usize = 3;

/// Aligns lines whose cells are ended by tabs; what follows the last tab of a line belongs to no column.
///
/// A column is a block of neighbouring lines that all have it, as in Go: a line without it starts a new block.
pub(crate) fn align(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    let columns = widths.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns {
        let mut start = 0;
        while start < lines.len() {
            let block = lines[start..].iter().take_while(|cells| cells.len() > column + 1).count();
            let cells = lines[start..start + block].iter().map(|cells| cells[column].chars().count() + PADDING);
            let width = cells.max().unwrap_or(0).max(MINIMUM_WIDTH);
            widths[start..start + block].iter_mut().for_each(|widths| widths[column] = width);
            start += block + 1;
        }
    }
    let mut aligned = String::with_capacity(text.len() * 2);
    for (number, (cells, widths)) in lines.iter().zip(&widths).enumerate() {
        if number > 0 {
            aligned.push('\n');
        }
        for (cell, width) in cells.iter().zip(widths) {
            aligned.push_str(&format!("{cell:width$}"));
        }
        aligned.push_str(cells[cells.len() - 1]);
    }
    aligned
}

#[cfg(test)]
mod tests {
    use super::align;

    #[test]
    fn pads_like_tabwriter() {
        for (text, expected) in [
            ("", ""),
            ("a\tb\n", "a         b\n"),
            (
                "CONTAINER ID\tIMAGE\tNAMES\n0123\talpine\tweb\n",
                "CONTAINER ID   IMAGE     NAMES\n0123           alpine    web\n",
            ),
            // A wide character counts as one, as it does in Go.
            ("ü\tx\nabcdefghij\ty", "ü            x\nabcdefghij   y"),
            // A line without tabs ends the block.
            ("abcdefghijkl\tx\nplain\na\ty", "abcdefghijkl   x\nplain\na         y"),
        ] {
            assert_eq!(align(text), expected);
        }
    }
}
