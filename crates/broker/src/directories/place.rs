//! Where new partitions go: to the directory that has the fewest (Kafka's `LogManager.nextLogDirs`). Pure.

/// Spreads `items` over directories that hold `counts` partitions: each to the one that has the fewest by then, the first
/// of equals. Answers each directory's items.
pub(super) fn spread(mut counts: Vec<usize>, items: &[usize]) -> Vec<Vec<usize>> {
    let mut chosen = vec![Vec::new(); counts.len()];
    for item in items {
        let Some(fewest) = (0..counts.len()).min_by_key(|i| counts[*i]) else { break };
        counts[fewest] += 1;
        chosen[fewest].push(*item);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_with_the_fewest_is_filled_first_and_the_first_of_equals() {
        assert_eq!(spread(vec![0, 0], &[7, 8, 9]), [vec![7, 9], vec![8]]);
        assert_eq!(spread(vec![3, 1, 2], &[0, 1, 2, 3]), [vec![3], vec![0, 1], vec![2]]);
        assert_eq!(spread(vec![5], &[0, 1]), [[0, 1]]);
        assert!(spread(vec![], &[0]).is_empty());
    }
}
