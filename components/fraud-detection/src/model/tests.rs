//! What both models owe to customers, whatever they have learnt.

use super::*;

/// The order that the shop's page is filled in with.
pub const PREFILLED: Signals<'_> = Signals {
    name: "John Doe",
    contact: "john.doe@example.com",
    card_number: "4111 1111 1111 1111",
    country: Some("USA"),
    amount_cents: 4000,
    copies: 3,
    titles: 2,
    shipping: Shipping::Standard,
    gift_wrapping: true,
    has_discount: false,
    has_device: true,
    language: Some("en-US"),
    hour_utc: 12,
    recent_orders: 0,
};

/// The shortest order that a program sends.
const SHORTEST: Signals<'_> = Signals {
    country: None,
    copies: 1,
    titles: 1,
    gift_wrapping: false,
    has_device: false,
    language: None,
    ..PREFILLED
};

/// The prefilled order, sent from a browser abroad: the page says which language that speaks.
const TRANSLATED: Signals<'_> = Signals {
    language: Some("et-EE"),
    ..PREFILLED
};

/// Every sign of fraud at once.
const BLATANT: Signals<'_> = Signals {
    name: "John Doe",
    contact: "x8814920@cards.xyz",
    card_number: "6200 0000 0000 0005",
    country: Some("USA"),
    amount_cents: 240_000,
    copies: 40,
    titles: 8,
    shipping: Shipping::NextDay,
    gift_wrapping: false,
    has_discount: false,
    has_device: false,
    language: None,
    hour_utc: 8,
    recent_orders: 6,
};

fn scores(signals: &Signals<'_>) -> [f64; 2] {
    [
        assess::<Logistic>(signals).score,
        assess::<Trees>(signals).score,
    ]
}

#[test]
fn the_ordinary_order_is_clearly_clean() {
    for signals in [PREFILLED, SHORTEST, TRANSLATED] {
        for hour_utc in 0..24 {
            let found = scores(&Signals {
                hour_utc,
                ..signals
            });
            assert!(found.iter().all(|score| *score < 0.1), "{found:?}");
        }
    }
}

#[test]
fn blatant_fraud_is_rejected_at_any_hour() {
    let signs = [
        BLATANT,
        // Tests stolen cards with cheap books.
        Signals {
            contact: "qhdu4471@mailinator.com",
            amount_cents: 900,
            copies: 1,
            titles: 1,
            shipping: Shipping::Standard,
            recent_orders: 20,
            ..BLATANT
        },
    ];
    for signals in signs {
        for hour_utc in 0..24 {
            let found = scores(&Signals {
                hour_utc,
                ..signals
            });
            assert!(found.iter().all(|score| *score >= THRESHOLD), "{found:?}");
        }
    }
}

/// Addresses: first those with the customer's name, then those of programs.
const CONTACTS: [&str; 5] = [
    "john.doe@example.com",
    "john12345@example.com",
    "buyer@example.com",
    "customer7@example.com",
    "load-4711@example.com",
];

/// How many of them have the name.
const NAMED: usize = 2;

/// Calls `judge` with orders that have nothing against them but how much, how often, when and how they order.
fn for_each_insistent_order(mut judge: impl FnMut(&Signals<'_>)) {
    let mut axes = [0_usize; 9];
    let sizes = [3, CONTACTS.len(), 4, 4, 3, 2, 4, 5, 2];
    loop {
        let [
            base,
            contact,
            titles,
            copies,
            shipping,
            gift,
            hour,
            recent,
            price,
        ] = axes;
        let titles = [1, 2, 6, 20][titles];
        let copies = u64::from(titles) * [1, 3, 20, 999][copies];
        // A nameless address is a sign, and one from abroad is another: bulk orders by night on top may be too much.
        let base = if contact < NAMED { base } else { base.min(1) };
        judge(&Signals {
            contact: CONTACTS[contact],
            titles,
            copies,
            amount_cents: copies * [550, 2500][price],
            shipping: [Shipping::Standard, Shipping::Express, Shipping::NextDay][shipping],
            gift_wrapping: gift == 1,
            hour_utc: [3, 8, 14, 20][hour],
            recent_orders: [0, 1, 5, 50, u32::MAX][recent],
            ..[PREFILLED, SHORTEST, TRANSLATED][base]
        });
        let Some(next) = (0..axes.len()).find(|axis| axes[*axis] + 1 < sizes[*axis]) else {
            return;
        };
        axes[next] += 1;
        axes[..next].fill(0);
    }
}

#[test]
fn nothing_but_insistence_is_no_fraud() {
    for_each_insistent_order(|signals| {
        let found = scores(signals);
        assert!(
            found.iter().all(|score| *score < THRESHOLD),
            "{found:?} for {signals:?}"
        );
    });
}

#[test]
fn a_suspicious_sign_never_lowers_the_score() {
    let check = |before: &Signals<'_>, after: Signals<'_>| {
        for (before_score, after_score) in scores(before).into_iter().zip(scores(&after)) {
            assert!(
                after_score >= before_score,
                "{before_score} fell to {after_score} from {before:?} to {after:?}"
            );
        }
    };
    for_each_insistent_order(|signals| {
        let at = |domain| signals.contact.replace("example.com", domain);
        let (disposable, cheap) = (at("mailinator.com"), at("mail7.xyz"));
        let more_digits = format!("77{}", signals.contact);
        for contact in [&disposable, &cheap, &more_digits] {
            check(
                signals,
                Signals {
                    contact,
                    ..*signals
                },
            );
        }
        check(
            signals,
            Signals {
                name: "Mari Tamm",
                ..*signals
            },
        );
        check(
            signals,
            Signals {
                card_number: "6200 0000 0000 0005",
                ..*signals
            },
        );
        check(
            signals,
            Signals {
                has_device: false,
                ..*signals
            },
        );
        check(
            signals,
            Signals {
                language: Some("zh-CN"),
                ..*signals
            },
        );
        check(
            signals,
            Signals {
                recent_orders: u32::MAX,
                ..*signals
            },
        );
    });
}

#[test]
fn the_same_order_gets_the_same_assessment() {
    assert_eq!(assess::<Trees>(&BLATANT), assess::<Trees>(&BLATANT));
    assert_eq!(assess::<Logistic>(&BLATANT), assess::<Logistic>(&BLATANT));
}

#[test]
fn anything_can_be_assessed() {
    let nothing = Signals {
        name: "",
        contact: "",
        card_number: "",
        country: Some(""),
        amount_cents: u64::MAX,
        copies: u64::MAX,
        titles: 0,
        language: Some("-"),
        hour_utc: u8::MAX,
        recent_orders: u32::MAX,
        ..PREFILLED
    };
    for score in scores(&nothing) {
        assert!((0.0..=1.0).contains(&score), "{score}");
    }
}
