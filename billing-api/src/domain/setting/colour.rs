//! Whether a colour can be read on our pages (WCAG 2.1 §1.4.3, level AA: 4.5 to 1).

/// Contrast that text must have.
const CONTRAST_MIN: f64 = 4.5;

/// What a colour is seen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    Light,
    Dark,
}

/// A colour, sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour([u8; 3]);

impl Ground {
    /// The darkest and the lightest a page has of it; a test compares with the style sheet.
    fn colours(self) -> [Colour; 2] {
        match self {
            Self::Light => [Colour([0xee, 0xf0, 0xf3]), Colour([0xff, 0xff, 0xff])],
            Self::Dark => [Colour([0x0b, 0x0e, 0x12]), Colour([0x1e, 0x24, 0x2d])],
        }
    }

    /// The text on a button of an accent colour that can be read on this ground.
    pub(crate) fn on_accent(self) -> Colour {
        match self {
            Self::Light => Colour([0xff; 3]),
            Self::Dark => Colour([0x0a, 0x1a, 0x2b]),
        }
    }
}

impl Colour {
    /// Reads `#1c7ed6`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = number.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// Relative luminance (WCAG 2.1, glossary).
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Contrast ratio, 1 to 21.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The least contrast it has on a ground, where that is too little for text.
    pub(crate) fn too_faint_on(self, ground: Ground) -> Option<f64> {
        let least = ground.colours().map(|other| self.contrast(other));
        let least = least.into_iter().fold(f64::INFINITY, f64::min);
        (least < CONTRAST_MIN).then_some(least)
    }

    /// A stronger one for what the pointer is on: away from the ground, so that it reads at
    /// least as well.
    pub(crate) fn stronger_on(self, ground: Ground) -> Self {
        Self(self.0.map(|channel| match ground {
            Ground::Light => (u16::from(channel) * 3 / 4) as u8,
            Ground::Dark => 255 - (u16::from(255 - channel) * 3 / 4) as u8,
        }))
    }
}

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::parse(text).unwrap()
    }

    #[test]
    fn contrast_is_that_of_the_guideline() {
        assert!((colour("#000000").contrast(colour("#ffffff")) - 21.0).abs() < 1e-9);
        assert!((colour("#777777").contrast(colour("#ffffff")) - 4.48).abs() < 0.01);
        assert!((colour("#767676").contrast(colour("#ffffff")) - 4.54).abs() < 0.01);
        assert_eq!(colour("#0B5cad").to_string(), "#0b5cad");
        for bad in ["", "#fff", "0b5cad", "#0b5cag", "#+b5cad", "#0b5cad0", "#ééé"] {
            assert_eq!(Colour::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_colour_must_stand_out_from_its_ground() {
        assert_eq!(colour("#0b5cad").too_faint_on(Ground::Light), None);
        assert!(colour("#ffcc00").too_faint_on(Ground::Light).is_some_and(|c| c < 1.6));
        // Enough on white, not enough on the grey of the page.
        assert!(colour("#767676").too_faint_on(Ground::Light).is_some());
        assert_eq!(colour("#7db8fb").too_faint_on(Ground::Dark), None);
        assert!(colour("#0b5cad").too_faint_on(Ground::Dark).is_some());
    }

    #[test]
    fn a_button_reads_in_every_accent_that_is_accepted() {
        for ground in [Ground::Light, Ground::Dark] {
            for red in (0..=255).step_by(15) {
                for green in (0..=255).step_by(15) {
                    for blue in (0..=255).step_by(15) {
                        let accent = Colour([red as u8, green as u8, blue as u8]);
                        if accent.too_faint_on(ground).is_some() {
                            continue;
                        }
                        let strong = accent.stronger_on(ground);
                        assert_eq!(strong.too_faint_on(ground), None, "{accent}");
                        for button in [accent, strong] {
                            let text = ground.on_accent();
                            assert!(text.contrast(button) >= CONTRAST_MIN, "{text} on {button}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_ground_of_the_style_sheet_is_beyond_those_that_are_checked() {
        let css = include_str!("../../console/assets/console.css");
        let mut seen = 0;
        for name in ["--ground:", "--sheet:", "--raised:", "--sunken:"] {
            for line in css.lines().filter(|line| line.trim_start().starts_with(name)) {
                for (at, _) in line.match_indices('#') {
                    // Paper has short ones, and none of our accents.
                    let ground = line.get(at..at + 7).and_then(Colour::parse);
                    let Some(ground) = ground else { continue };
                    let ground = ground.luminance();
                    let own = if ground > 0.5 { Ground::Light } else { Ground::Dark };
                    let [from, to] = own.colours().map(Colour::luminance);
                    assert!((from..=to).contains(&ground), "{line}");
                    seen += 1;
                }
            }
        }
        assert!(seen >= 4, "{seen}");
    }
}
