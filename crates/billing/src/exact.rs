//! Exact fractions, and the one place where money is rounded.
//!
//! Prices are whole minor units; shares of a period and tax rates make fractions of them. Those
//! stay exact until [`Exact::round`], so no order of multiplying and adding changes a cent.

use std::fmt;

use crate::words::choice;

/// A number is beyond what is reckoned exactly: about 38 digits, above and below the line together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount or rate is too large or too finely divided to be reckoned exactly")]
pub struct TooLarge;

choice! {
    /// Where a half goes. The sign does not matter: −0.5 becomes −1 or 0 as 0.5 becomes 1 or 0.
    Rounding, default HalfUp {
        /// Away from zero: 0.5 → 1, 1.5 → 2, 2.5 → 3.
        HalfUp = "half_up",
        /// To the even neighbour: 0.5 → 0, 1.5 → 2, 2.5 → 2.
        HalfEven = "half_even",
    }
}

/// A fraction in lowest terms, the sign above the line.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exact {
    over: i128,
    under: i128,
}

impl Exact {
    /// 0.
    pub const ZERO: Self = Self { over: 0, under: 1 };
    /// 1.
    pub const ONE: Self = Self { over: 1, under: 1 };

    /// A whole number.
    pub const fn whole(number: i64) -> Self {
        Self { over: number as i128, under: 1 }
    }

    /// `over / under`; a fraction over zero is refused like one that is too large.
    pub fn ratio(over: i128, under: i128) -> Result<Self, TooLarge> {
        if under == 0 || over == i128::MIN || under == i128::MIN {
            return Err(TooLarge);
        }
        let common = common_divisor(over.unsigned_abs(), under.unsigned_abs());
        // A divisor of two numbers below 2^127 is one itself.
        let common = common as i128;
        let sign = under.signum();
        Ok(Self { over: sign * (over / common), under: sign * (under / common) })
    }

    /// Reads a decimal such as `9.975`, with at most this many digits after the point.
    pub fn decimal(text: &str, digits_max: usize) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, part) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (digits, ""),
        };
        let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 18 || part.len() > digits_max.min(12) {
            return None;
        }
        if !numeric(whole) || !numeric(part) {
            return None;
        }
        let over: i128 = format!("{whole}{part}").parse().ok()?;
        Self::ratio(sign * over, 10i128.pow(part.len() as u32)).ok()
    }

    /// The sum. Over the least common multiple of the two denominators, so that it overflows only
    /// where the result would, or nearly.
    pub fn plus(self, other: Self) -> Result<Self, TooLarge> {
        let common = common_divisor(self.under.unsigned_abs(), other.under.unsigned_abs());
        // A divisor of two numbers below 2^127 is one itself.
        let (own, others) = (self.under / common as i128, other.under / common as i128);
        let left = self.over.checked_mul(others).ok_or(TooLarge)?;
        let right = other.over.checked_mul(own).ok_or(TooLarge)?;
        let under = self.under.checked_mul(others).ok_or(TooLarge)?;
        Self::ratio(left.checked_add(right).ok_or(TooLarge)?, under)
    }

    /// The difference.
    pub fn minus(self, other: Self) -> Result<Self, TooLarge> {
        self.plus(Self { over: -other.over, under: other.under })
    }

    /// The product. Reduced crosswise first, so it overflows only where the result would.
    pub fn times(self, other: Self) -> Result<Self, TooLarge> {
        let first = Self::ratio(self.over, other.under)?;
        let second = Self::ratio(other.over, self.under)?;
        let over = first.over.checked_mul(second.over).ok_or(TooLarge)?;
        Self::ratio(over, first.under.checked_mul(second.under).ok_or(TooLarge)?)
    }

    /// The quotient; by zero is refused.
    pub fn by(self, other: Self) -> Result<Self, TooLarge> {
        if other.over == 0 {
            return Err(TooLarge);
        }
        self.times(Self::ratio(other.under, other.over)?)
    }

    /// Minus this.
    pub fn negated(self) -> Self {
        Self { over: -self.over, under: self.under }
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.over < 0
    }

    /// The nearest whole number: **the** rounding of this crate.
    pub fn round(self, rounding: Rounding) -> Result<i64, TooLarge> {
        let magnitude = self.over.unsigned_abs();
        let under = self.under.unsigned_abs();
        let (floor, rest) = (magnitude / under, magnitude % under);
        let up = match (rest, under - rest) {
            (rest, gap) if rest == gap => match rounding {
                Rounding::HalfUp => true,
                Rounding::HalfEven => floor % 2 == 1,
            },
            (rest, gap) => rest > gap,
        };
        let rounded = i64::try_from(floor + u128::from(up)).map_err(|_| TooLarge)?;
        Ok(if self.over < 0 { -rounded } else { rounded })
    }

    /// The digits of `self / 10^decimals`, four more than money has, `…` where they go on: for
    /// formulas that people read.
    pub(crate) fn show(self, decimals: u32) -> String {
        let scale = 10i128.pow(decimals);
        let whole = self.over.abs() / self.under;
        let mut text = String::new();
        if self.over < 0 {
            text.push('-');
        }
        text.push_str(&(whole / scale).to_string());
        let mut digits = String::new();
        if decimals > 0 {
            digits = format!("{:0width$}", whole % scale, width = decimals as usize);
        }
        let mut rest = self.over.abs() % self.under;
        let mut extra = 0;
        while rest != 0 && extra < 4 {
            let Some(ten) = rest.checked_mul(10) else { break };
            digits.push(char::from(b'0' + (ten / self.under) as u8));
            rest = ten % self.under;
            extra += 1;
        }
        if !digits.is_empty() {
            text.push('.');
            text.push_str(&digits);
        }
        if rest != 0 {
            text.push('…');
        }
        text
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.over, self.under)
    }
}

/// The sum of amounts, or that it does not fit one. Sums of money are made here and nowhere else,
/// because a sum that wraps looks like money too.
pub fn sum(amounts: impl IntoIterator<Item = i64>) -> Result<i64, TooLarge> {
    let mut sum = 0i128;
    for amount in amounts {
        // Needs 2^64 amounts to overflow.
        sum += i128::from(amount);
    }
    i64::try_from(sum).map_err(|_| TooLarge)
}

/// Euclid's.
fn common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::decimal(text, 12).unwrap()
    }

    #[test]
    fn halves_go_where_the_rule_says_on_both_sides_of_zero() {
        for (text, up, even) in [
            ("0.5", 1, 0),
            ("1.5", 2, 2),
            ("2.5", 3, 2),
            ("2.4999", 2, 2),
            ("2.5001", 3, 3),
            ("-0.5", -1, 0),
            ("-2.5", -3, -2),
            ("-1.5", -2, -2),
        ] {
            assert_eq!(exact(text).round(Rounding::HalfUp), Ok(up), "{text}");
            assert_eq!(exact(text).round(Rounding::HalfEven), Ok(even), "{text}");
        }
    }

    #[test]
    fn thirds_add_up_to_a_whole() {
        let third = Exact::ratio(1, 3).unwrap();
        assert_eq!(third.plus(third).unwrap().plus(third), Ok(Exact::ONE));
        assert_eq!(Exact::ONE.minus(third).unwrap().by(third), Ok(Exact::whole(2)));
    }

    #[test]
    fn what_is_no_decimal_is_not_read() {
        for text in ["", "-", ".5", "5.", "1e3", "+1", " 1", "1,5", "--1", "1.2.3", "٣"] {
            assert_eq!(Exact::decimal(text, 12), None, "{text}");
        }
        assert_eq!(Exact::decimal("1.234", 2), None);
        assert_eq!(exact("-9.975"), Exact::ratio(-399, 40).unwrap());
    }

    #[test]
    fn too_large_is_an_answer_and_no_panic() {
        let large = Exact::ratio(i128::MAX, 1).unwrap();
        assert_eq!(large.plus(Exact::ONE), Err(TooLarge));
        assert_eq!(large.times(Exact::whole(2)), Err(TooLarge));
        assert_eq!(large.round(Rounding::HalfUp), Err(TooLarge));
        assert_eq!(Exact::ONE.by(Exact::ZERO), Err(TooLarge));
        assert_eq!(Exact::ratio(1, 0), Err(TooLarge));
        assert_eq!(Exact::ratio(i128::MIN, 3), Err(TooLarge));
    }

    #[test]
    fn a_sum_is_right_whatever_lies_on_the_way_or_refused() {
        assert_eq!(sum([i64::MAX, i64::MAX, -i64::MAX]), Ok(i64::MAX));
        assert_eq!(sum([i64::MAX, 1]), Err(TooLarge));
        assert_eq!(sum([]), Ok(0));
    }

    #[test]
    fn fractions_are_added_over_their_least_common_multiple() {
        let small = Exact::ratio(1, 10i128.pow(30)).unwrap();
        assert_eq!(small.plus(small), Exact::ratio(2, 10i128.pow(30)));
        let half = Exact::ratio(1, 2 * 10i128.pow(30)).unwrap();
        assert_eq!(small.plus(half), Exact::ratio(3, 2 * 10i128.pow(30)));
        assert_eq!(small.minus(small), Ok(Exact::ZERO));
    }

    #[test]
    fn formulas_show_four_digits_more_than_money() {
        assert_eq!(Exact::ratio(36_000, 31).unwrap().show(2), "11.612903…");
        assert_eq!(exact("250").show(2), "2.50");
        assert_eq!(exact("-5.5").show(2), "-0.055");
        assert_eq!(Exact::ratio(1, 3).unwrap().show(0), "0.3333…");
    }
}
