//! Whether a page can be read and used by everyone: by eye, by ear, by finger, by keyboard.
//!
//! After WCAG 2.2, level AA, as far as a program can tell.

use serde_json::Value;

use crate::browser::{Browser, TAB};

/// More stops of the Tab key than any page has.
const STOPS_MAX: usize = 500;

/// What is wrong with the page as it is shown now: contrast of texts and fields, names of all
/// that can be used, headings, language, title, sizes of what is pressed, and width.
#[track_caller]
pub fn faults(browser: &Browser) -> Vec<String> {
    let found = browser.read(include_str!("accessible.js"));
    let found = found.as_array().unwrap_or_else(|| panic!("not a list of faults: {found}"));
    found.iter().map(|fault| fault.as_str().unwrap_or_default().to_owned()).collect()
}

/// What is wrong on the way through the page with the Tab key: something is passed over, or the
/// focus is somewhere without being seen there.
///
/// The page must have been loaded anew, so that the way begins at its beginning.
#[track_caller]
pub fn faults_by_keyboard(browser: &Browser) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expected = None;
    for _ in 0..STOPS_MAX {
        browser.press([TAB]);
        let stop = browser.read(include_str!("focus.js"));
        let what = stop["what"].as_str().unwrap_or_default();
        let (at, of) = (stop["at"].as_i64(), stop["of"].as_i64());
        let Some(at) = at.filter(|at| *at >= 0) else {
            // Past the last, the focus leaves the page.
            if expected != of {
                faults.push(format!("Tab reaches {expected:?} of {of:?} places, and then {what}"));
            }
            return faults;
        };
        // A page may begin with a field that has the focus already; Tab goes on from there.
        let wanted = expected.unwrap_or(at);
        if stop["parts"] == Value::Bool(true) && at + 1 == wanted {
            continue;
        }
        if at != wanted {
            faults.push(format!("Tab goes to place {at}, not {wanted}: {what}"));
        }
        if stop["ring"] != Value::Bool(true) {
            faults.push(format!("one does not see that the focus is here: {what}"));
        }
        if stop["open"] != Value::Bool(true) {
            faults.push(format!("something lies over what has the focus: {what}"));
        }
        expected = Some(at + 1);
    }
    faults.push("Tab never leaves the page".to_owned());
    faults
}
