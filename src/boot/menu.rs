//! What a person at a machine's console may choose, and what comes of it. The server's rules stay: nobody installs a host
//! from here that has no installation open, and a machine that is refused has no menu.

use super::{Action, Decision, Level, Rule};

/// What was chosen at the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MenuChoice {
    /// What was decided for the machine; also when nobody chooses.
    Default,
    /// Its own disk.
    Local,
    /// The collection image.
    Collect,
    /// The memory test.
    MemoryTest,
}

impl MenuChoice {
    /// Every choice, in the order of the menu.
    pub const ALL: [Self; 4] = [Self::Default, Self::Local, Self::Collect, Self::MemoryTest];

    /// The word in the script's address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Local => "local",
            Self::Collect => "collect",
            Self::MemoryTest => "memtest",
        }
    }

    /// The key that chooses it.
    #[must_use]
    pub const fn key(self) -> char {
        match self {
            Self::Default => 'd',
            Self::Local => 'l',
            // Not c: GRUB opens its command line by that.
            Self::Collect => 'f',
            Self::MemoryTest => 'm',
        }
    }

    /// Reads the word; `None` when nothing was chosen yet. Any other word is the default: a machine that asks strangely
    /// boots all the same.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        if word.is_empty() {
            return None;
        }
        let known = Self::ALL.into_iter().find(|choice| choice.as_str() == word);
        Some(known.unwrap_or(Self::Default))
    }
}

/// What there is to choose from beside what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MenuOffers {
    /// Kernel and initramfs of the collection image are there.
    pub image: bool,
    /// The memory test's programs are there.
    pub memory_test: bool,
}

/// The choices a machine is shown; what was decided comes first and is not offered twice.
#[must_use]
pub fn menu(decision: &Decision, offers: MenuOffers) -> Vec<MenuChoice> {
    MenuChoice::ALL
        .into_iter()
        .filter(|choice| match choice {
            MenuChoice::Default => true,
            MenuChoice::Local => decision.action != Action::LocalBoot,
            MenuChoice::Collect => offers.image && decision.action != Action::Collect,
            MenuChoice::MemoryTest => offers.memory_test,
        })
        .collect()
}

/// What becomes of the decision by a choice. What is not on the menu changes nothing.
#[must_use]
pub fn choose(decision: Decision, choice: MenuChoice, offers: MenuOffers) -> Decision {
    if decision.action == Action::Refuse || !menu(&decision, offers).contains(&choice) {
        return decision;
    }
    let by_person = |action, rule| Decision {
        action,
        rule,
        level: Level::Info,
    };
    match choice {
        MenuChoice::Default => decision,
        MenuChoice::Local => by_person(Action::LocalBoot, Rule::ChosenLocal),
        MenuChoice::Collect => by_person(Action::Collect, Rule::ChosenCollect),
        MenuChoice::MemoryTest => by_person(Action::MemoryTest, Rule::ChosenMemoryTest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: MenuOffers = MenuOffers {
        image: true,
        memory_test: true,
    };

    fn decided(action: Action, rule: Rule) -> Decision {
        Decision {
            action,
            rule,
            level: Level::Info,
        }
    }

    #[test]
    fn what_was_decided_is_first_and_not_there_twice() {
        let local = decided(Action::LocalBoot, Rule::InServiceLocal);
        assert_eq!(
            menu(&local, ALL),
            [MenuChoice::Default, MenuChoice::Collect, MenuChoice::MemoryTest]
        );
        let install = decided(Action::Install, Rule::InstallOpen);
        let bare = MenuOffers {
            image: false,
            memory_test: false,
        };
        assert_eq!(menu(&install, bare), [MenuChoice::Default, MenuChoice::Local]);
    }

    #[test]
    fn a_choice_cannot_install_nor_undo_a_refusal() {
        let refused = decided(Action::Refuse, Rule::RefusedByPolicy);
        for choice in MenuChoice::ALL {
            assert_eq!(choose(refused.clone(), choice, ALL), refused);
            let collect = decided(Action::Collect, Rule::UnknownCollect);
            assert_ne!(choose(collect, choice, ALL).action, Action::Install);
        }
        let local = decided(Action::LocalBoot, Rule::InServiceLocal);
        let chosen = choose(local.clone(), MenuChoice::Collect, ALL);
        assert_eq!((chosen.action, chosen.rule), (Action::Collect, Rule::ChosenCollect));
        // Without an image there is nothing to choose.
        let none = MenuOffers { image: false, ..ALL };
        assert_eq!(choose(local.clone(), MenuChoice::Collect, none), local);
    }

    #[test]
    fn words_come_back_and_strange_ones_are_the_default() {
        for choice in MenuChoice::ALL {
            assert_eq!(MenuChoice::from_word(choice.as_str()), Some(choice));
        }
        assert_eq!(MenuChoice::from_word("install"), Some(MenuChoice::Default));
        assert_eq!(MenuChoice::from_word(""), None);
    }
}
