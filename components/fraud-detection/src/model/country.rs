//! Countries: by what people write, by number, and by the language of a device.

/// A country that orders come from.
#[derive(Debug, PartialEq, Eq)]
pub struct Country {
    /// Two letters, ISO 3166.
    pub code: &'static str,
    /// ISO 3166 too.
    number: u16,
    /// Whole hours from UTC to the winter time where most of its people live.
    utc_offset: i8,
    /// In English and in its own language, without accents too. Separated by `|`.
    names: &'static str,
}

impl Country {
    /// The hour of the day there.
    pub fn local_hour(&self, hour_utc: u8) -> u8 {
        let hour = (i16::from(hour_utc) + i16::from(self.utc_offset)).rem_euclid(24);
        hour.unsigned_abs() as u8
    }
}

/// The country that a customer wrote; `None` if it is not in the table, of which nothing follows.
pub fn find(text: &str) -> Option<&'static Country> {
    let text = text.trim();
    let is_it = |country: &&Country| {
        let is_text = |name: &str| name.eq_ignore_ascii_case(text);
        is_text(country.code) || country.names.split('|').any(is_text)
    };
    COUNTRIES.iter().find(is_it)
}

/// By its number in ISO 3166.
pub fn by_number(number: u32) -> Option<&'static Country> {
    COUNTRIES
        .iter()
        .find(|country| u32::from(country.number) == number)
}

/// The code of the country in a BCP 47 tag, such as `US` of `en-US`; `None` if it names none.
pub fn of_language(tag: &str) -> Option<&'static str> {
    let is_country = |part: &&str| part.len() == 2;
    let region = tag.trim().split(['-', '_']).skip(1).find(is_country)?;
    COUNTRIES
        .iter()
        .map(|country| country.code)
        .find(|code| code.eq_ignore_ascii_case(region))
}

const fn country(code: &'static str, number: u16, utc_offset: i8, names: &'static str) -> Country {
    Country {
        code,
        number,
        utc_offset,
        names,
    }
}

/// Those that customers of the shop are billed in most, and neighbours.
const COUNTRIES: [Country; 50] = [
    country(
        "US",
        840,
        -6,
        "United States|USA|U.S.A.|U.S.|United States of America|America",
    ),
    country("EE", 233, 2, "Estonia|Eesti|EST"),
    country(
        "GB",
        826,
        0,
        "United Kingdom|UK|Great Britain|England|Scotland|Wales|GBR",
    ),
    country("DE", 276, 1, "Germany|Deutschland|DEU"),
    country("FI", 246, 2, "Finland|Suomi|FIN"),
    country("FR", 250, 1, "France|FRA"),
    country("LV", 428, 2, "Latvia|Latvija|LVA"),
    country("LT", 440, 2, "Lithuania|Lietuva|LTU"),
    country("SE", 752, 1, "Sweden|Sverige|SWE"),
    country("NO", 578, 1, "Norway|Norge|NOR"),
    country("DK", 208, 1, "Denmark|Danmark|DNK"),
    country(
        "NL",
        528,
        1,
        "Netherlands|The Netherlands|Nederland|Holland|NLD",
    ),
    country("BE", 56, 1, "Belgium|Belgique|België|Belgie|BEL"),
    country("LU", 442, 1, "Luxembourg|LUX"),
    country("CH", 756, 1, "Switzerland|Schweiz|Suisse|Svizzera|CHE"),
    country("AT", 40, 1, "Austria|Österreich|Osterreich|AUT"),
    country("ES", 724, 1, "Spain|España|Espana|ESP"),
    country("PT", 620, 0, "Portugal|PRT"),
    country("IT", 380, 1, "Italy|Italia|ITA"),
    country("IE", 372, 0, "Ireland|Éire|Eire|IRL"),
    country("IS", 352, 0, "Iceland|Ísland|Island|ISL"),
    country("PL", 616, 1, "Poland|Polska|POL"),
    country("CZ", 203, 1, "Czechia|Czech Republic|Česko|Cesko|CZE"),
    country("SK", 703, 1, "Slovakia|Slovensko|SVK"),
    country("HU", 348, 1, "Hungary|Magyarország|Magyarorszag|HUN"),
    country("RO", 642, 2, "Romania|România|ROU"),
    country("BG", 100, 2, "Bulgaria|BGR"),
    country("GR", 300, 2, "Greece|Hellas|GRC"),
    country("HR", 191, 1, "Croatia|Hrvatska|HRV"),
    country("UA", 804, 2, "Ukraine|Ukraina|UKR"),
    country("RU", 643, 3, "Russia|Russian Federation|RUS"),
    country("TR", 792, 3, "Turkey|Türkiye|Turkiye|TUR"),
    country("IL", 376, 2, "Israel|ISR"),
    country("AE", 784, 4, "United Arab Emirates|UAE|ARE"),
    country("IN", 356, 5, "India|Bharat|IND"),
    country("CN", 156, 8, "China|People's Republic of China|CHN"),
    country("HK", 344, 8, "Hong Kong|HKG"),
    country("SG", 702, 8, "Singapore|SGP"),
    country("JP", 392, 9, "Japan|Nippon|JPN"),
    country("KR", 410, 9, "South Korea|Korea|Republic of Korea|KOR"),
    country("AU", 36, 10, "Australia|AUS"),
    country("NZ", 554, 12, "New Zealand|Aotearoa|NZL"),
    country("CA", 124, -5, "Canada|CAN"),
    country("MX", 484, -6, "Mexico|México|MEX"),
    country("BR", 76, -3, "Brazil|Brasil|BRA"),
    country("AR", 32, -3, "Argentina|ARG"),
    country("NG", 566, 1, "Nigeria|NGA"),
    country("ZA", 710, 2, "South Africa|ZAF"),
    country("EG", 818, 2, "Egypt|EGY"),
    country("ID", 360, 7, "Indonesia|IDN"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn countries_are_known_by_any_name() {
        let check = |text, code| assert_eq!(find(text).map(|country| country.code), code, "{text}");
        check("USA", Some("US"));
        check(" united states ", Some("US"));
        check("eesti", Some("EE"));
        check("De", Some("DE"));
        check("Türkiye", Some("TR"));
        check("Atlantis", None);
        check("", None);
        check("|", None);
    }

    #[test]
    fn languages_name_a_country_or_none() {
        let check = |tag, code| assert_eq!(of_language(tag), code, "{tag}");
        check("en-US", Some("US"));
        check("zh-Hans-cn", Some("CN"));
        check("pt_BR", Some("BR"));
        check("de", None);
        check("en-XA", None);
        check("", None);
    }

    #[test]
    fn clocks_differ() {
        let check = |code, hour_utc, local| {
            assert_eq!(find(code).unwrap().local_hour(hour_utc), local, "{code}");
        };
        check("GB", 23, 23);
        check("EE", 23, 1);
        check("US", 3, 21);
        check("NZ", 12, 0);
    }

    #[test]
    fn each_country_is_there_once() {
        let codes: BTreeSet<&str> = COUNTRIES.iter().map(|country| country.code).collect();
        let numbers: BTreeSet<u16> = COUNTRIES.iter().map(|country| country.number).collect();
        let names: Vec<&str> = COUNTRIES
            .iter()
            .flat_map(|country| country.names.split('|'))
            .collect();
        assert_eq!(codes.len(), COUNTRIES.len());
        assert_eq!(numbers.len(), COUNTRIES.len());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
