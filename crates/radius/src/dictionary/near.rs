//! Which known word somebody may have meant.

/// The known words nearest to one, best first, at most `max` of them.
///
/// Letter case, hyphens and underscores do not count: people mix those up most.
pub fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
    max: usize,
) -> Vec<&'a str> {
    let folded = fold(word);
    // A third of the letters may be wrong.
    let wrong_max = folded.len().div_ceil(3).min(6);
    let mut found: Vec<(usize, &str)> = (known.into_iter())
        .filter_map(|candidate| {
            let other = fold(candidate);
            if folded.len().abs_diff(other.len()) > wrong_max {
                return None;
            }
            let wrong = distance(&folded, &other);
            (wrong <= wrong_max).then_some((wrong, candidate))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(max).map(|(_, candidate)| candidate).collect()
}

fn fold(word: &str) -> Vec<u8> {
    let kept = word.bytes().filter(|octet| !matches!(octet, b'-' | b'_' | b' '));
    // Longer words than this are no names, and the comparison takes the square of it.
    kept.take(128).map(|octet| octet.to_ascii_lowercase()).collect()
}

/// Insertions, deletions, changes and swaps of neighbours that make one of the other.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["Mikrotik-Rate-Limit", "Mikrotik-Recv-Limit", "User-Name", "Class"];
        assert_eq!(nearest("mikrotik_ratelimit", known, 1), ["Mikrotik-Rate-Limit"]);
        assert_eq!(nearest("Usre-Name", known, 3), ["User-Name"]);
        assert_eq!(nearest("ClasS", known, 3), ["Class"]);
        assert!(nearest("Framed-Pool", known, 3).is_empty());
        assert!(nearest("", known, 3).is_empty());
    }

    #[test]
    fn distances_count_single_changes() {
        for (a, b, wrong) in
            [("", "ab", 2), ("ab", "ba", 1), ("abc", "axc", 1), ("abc", "ac", 1), ("a", "a", 0)]
        {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), wrong, "{a} {b}");
        }
    }
}
