//! Characters to glyphs, and how wide they are.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use super::WriteError;

/// Octets of a font file, at most.
const FONT_OCTETS_MAX: u64 = 64 << 20;
/// Characters whose glyphs are remembered.
const KNOWN_MAX: usize = 20_000;

/// Fonts, the first that has a character draws it.
pub(super) struct Fonts {
    fonts: Vec<Loaded>,
    known: Mutex<HashMap<char, Glyph>>,
}

struct Loaded {
    font: Font,
    data: Vec<u8>,
}

/// Where a character is, and how wide, in parts of the font's size.
#[derive(Clone, Copy)]
struct Glyph {
    font: usize,
    id: u32,
    advance: f32,
}

/// Glyphs of one font that stand beside each other.
pub(super) struct Run {
    pub(super) font: Font,
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// In parts of the font's size.
    pub(super) advance: f32,
}

impl Fonts {
    /// Reads the files.
    pub(super) fn load(paths: &[PathBuf]) -> Result<Self, WriteError> {
        let mut fonts = Vec::new();
        for path in paths {
            let failed = |source| WriteError::Font { path: path.clone(), source };
            let length = fs::metadata(path).map_err(|error| failed(Some(error)))?.len();
            if length > FONT_OCTETS_MAX {
                return Err(failed(None));
            }
            let data = fs::read(path).map_err(|error| failed(Some(error)))?;
            FontRef::new(&data).map_err(|_| failed(None))?;
            let font = Font::new(data.clone().into(), 0).ok_or_else(|| failed(None))?;
            fonts.push(Loaded { font, data });
        }
        if fonts.is_empty() {
            return Err(WriteError::Font { path: PathBuf::new(), source: None });
        }
        Ok(Self { fonts, known: Mutex::default() })
    }

    fn glyph(&self, character: char) -> Glyph {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(glyph) = known.get(&character) {
            return *glyph;
        }
        let glyph = self.look_up(character);
        if known.len() < KNOWN_MAX {
            known.insert(character, glyph);
        }
        glyph
    }

    fn look_up(&self, character: char) -> Glyph {
        let mut missing = Glyph { font: 0, id: 0, advance: 0.6 };
        for (number, loaded) in self.fonts.iter().enumerate() {
            // It was read when it was loaded.
            let Ok(font) = FontRef::new(&loaded.data) else { continue };
            let metrics = font.glyph_metrics(Size::unscaled(), LocationRef::default());
            let em = loaded.font.units_per_em();
            let advance = |id| metrics.advance_width(id).unwrap_or(0.0) / em;
            if let Some(id) = font.charmap().map(character) {
                return Glyph { font: number, id: id.to_u32(), advance: advance(id) };
            }
            if number == 0 {
                missing.advance = advance(skrifa::GlyphId::new(0));
            }
        }
        missing
    }

    /// How wide a character is, in parts of the font's size.
    pub(super) fn advance(&self, character: char) -> f32 {
        self.glyph(character).advance
    }

    /// How wide a line is, in parts of the font's size.
    pub(super) fn width(&self, text: &str) -> f32 {
        text.chars().map(|character| self.advance(character)).sum()
    }

    /// A line as runs of glyphs.
    pub(super) fn runs(&self, text: &str) -> Vec<Run> {
        let mut runs: Vec<(usize, Run)> = Vec::new();
        for (at, character) in text.char_indices() {
            let glyph = self.glyph(character);
            let range = at..at + character.len_utf8();
            let id = GlyphId::new(glyph.id);
            let drawn = KrillaGlyph::new(id, glyph.advance, 0.0, 0.0, 0.0, range, None);
            match runs.last_mut().filter(|(font, _)| *font == glyph.font) {
                Some((_, run)) => {
                    run.glyphs.push(drawn);
                    run.advance += glyph.advance;
                }
                None => {
                    let font = self.fonts[glyph.font].font.clone();
                    let run = Run { font, glyphs: vec![drawn], advance: glyph.advance };
                    runs.push((glyph.font, run));
                }
            }
        }
        runs.into_iter().map(|(_, run)| run).collect()
    }
}
