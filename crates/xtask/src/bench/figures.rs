//! Arithmetic on what rounds measured: the median, the range, and how figures are written. Knows no rows.

/// The middle one; of an even number the mean of the two in the middle.
pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// Three digits that count: the noise leaves no more.
pub(crate) fn short(figure: f64) -> String {
    match figure.abs() {
        0.0 => "0".to_owned(),
        ..0.1 => format!("{figure:.3}"),
        ..10.0 => format!("{figure:.2}"),
        ..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

/// The median, with the lowest and the highest in brackets where there are several.
pub(crate) fn cell(figures: &[f64]) -> String {
    let Some(middle) = median(figures) else { return "–".to_owned() };
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if figures.len() == 1 {
        return short(middle);
    }
    format!("{} ({}–{})", short(middle), short(least), short(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_figures() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn figures_are_told_with_three_digits() {
        assert_eq!([0.0, 0.01234, 1.234, 12.34, 1234.5].map(short), ["0", "0.012", "1.23", "12.3", "1234"]);
    }

    #[test]
    fn a_range_is_told_where_there_are_several() {
        assert_eq!(cell(&[]), "–");
        assert_eq!(cell(&[2.0]), "2.00");
        assert_eq!(cell(&[4.0, 3.0, 15.0]), "4.00 (3.00–15.0)");
    }
}
