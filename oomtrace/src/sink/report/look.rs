//! How a report shows times and numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::text::escape::escape;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Look {
    /// In which times are shown.
    pub zone: TimeZone,
}

impl Look {
    /// `2026-11-26 03:12:07 +01:00`: a report is read on other days, and in other places.
    #[must_use]
    pub fn time(&self, rfc3339: &str) -> String {
        match rfc3339.parse::<Timestamp>() {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
            Err(_) => "at an unknown time".to_owned(),
        }
    }

    /// `2026-11-26 03:12`, in the same zone.
    #[must_use]
    pub fn minute(&self, rfc3339: &str) -> String {
        match rfc3339.parse::<Timestamp>() {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
            Err(_) => "an unknown time".to_owned(),
        }
    }

    /// `times are UTC`, `times are local (Europe/Berlin)`
    #[must_use]
    pub fn zone_name(&self) -> String {
        match self.zone.iana_name() {
            _ if self.zone == TimeZone::UTC => "times are UTC".to_owned(),
            Some(name) => format!("times are local ({})", escape(name)),
            None => "times are local".to_owned(),
        }
    }
}

/// Two digits: a page is read by people, too.
pub fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
