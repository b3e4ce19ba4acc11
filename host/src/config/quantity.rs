//! Numbers with a unit, written without a space: `32MiB`, `250ms`.
//!
//! [`size`](super::size) and [`duration`](super::duration) each bring a scale of units; reading, printing and guessing what was meant are here.

/// Units of one dimension.
pub(super) struct Scale {
    /// Each unit and how many of the first one it is, from small to large.
    pub units: &'static [(&'static str, u64)],
    /// What people write instead (lower case), and the unit they mean.
    pub mistakes: &'static [(&'static str, &'static str)],
}

impl Scale {
    /// The number in the smallest unit. One too large for 64 bits becomes the largest there is, which every range refuses.
    ///
    /// # Errors
    /// It is not a number with a unit: the text that was probably meant, if there is a likely one.
    pub fn parse(&self, text: &str) -> Result<u64, Option<String>> {
        let digits_end = text
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(digits_end);
        match self.factor(unit) {
            Some(factor) if !digits.is_empty() => {
                Ok(digits.parse().unwrap_or(u64::MAX).saturating_mul(factor))
            }
            _ => Err(self.guess(text)),
        }
    }

    /// The shortest exact text: the largest unit that divides `amount`.
    pub fn format(&self, amount: u64) -> String {
        let fitting =
            |&&(_, factor): &&(&str, u64)| amount.is_multiple_of(factor) && amount >= factor;
        let (unit, factor) = self
            .units
            .iter()
            .rev()
            .find(fitting)
            .unwrap_or(&self.units[0]);
        format!("{}{unit}", amount / factor)
    }

    fn factor(&self, unit: &str) -> Option<u64> {
        self.units
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, factor)| *factor)
    }

    /// What a text that is not a quantity was probably meant to be: another spelling of a unit, a space, a fraction.
    fn guess(&self, text: &str) -> Option<String> {
        let number_end =
            text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, unit) = text.split_at(number_end);
        let unit = unit.trim().to_lowercase();
        let meant = self
            .units
            .iter()
            .map(|(name, _)| *name)
            .find(|name| name.to_lowercase() == unit);
        let meant = meant.or_else(|| {
            self.mistakes
                .iter()
                .find(|(mistake, _)| *mistake == unit)
                .map(|(_, meant)| *meant)
        })?;
        if number.parse::<u64>().is_ok() {
            return Some(format!("{number}{meant}"));
        }
        // A fraction becomes a whole number of a smaller unit, where there is an exact one.
        let (whole, fraction) = number.split_once('.')?;
        let factor = self.factor(meant)?;
        let tenths = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let parts = fraction.parse::<u64>().ok()?.checked_mul(factor)?;
        if !parts.is_multiple_of(tenths) {
            return None;
        }
        Some(
            self.format(
                whole
                    .parse::<u64>()
                    .ok()?
                    .checked_mul(factor)?
                    .checked_add(parts / tenths)?,
            ),
        )
    }
}
