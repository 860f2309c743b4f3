//! A next image that grows fact by fact while requests are decided against it.
//!
//! Every fact goes through `Image::apply`, as it later will on every node; so what is decided second sees what was
//! decided first, and an impossible fact is found here and not in the log.

use ottla_metadata::{Fact, Image};

/// An image as it will be, and the facts that lead there.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    image: Image,
    facts: Vec<Fact>,
}

impl Draft {
    /// Nothing decided yet on top of `image`.
    pub(crate) const fn on(image: Image) -> Self {
        Self { image, facts: Vec::new() }
    }

    /// The cluster as it will be.
    pub(crate) const fn image(&self) -> &Image {
        &self.image
    }

    /// The facts decided so far.
    pub(crate) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Decides one more fact.
    pub(crate) fn write(&mut self, fact: Fact) {
        if let Err(impossible) = self.image.apply(&fact) {
            // A bug of the decision above: better no controller than a log that no node can fold.
            panic!("decided what cannot be: {fact}: {impossible}");
        }
        self.facts.push(fact);
    }

    /// A draft on top of this one, to be given up or taken back with [`Draft::accept`].
    pub(crate) fn fork(&self) -> Self {
        Self::on(self.image.clone())
    }

    /// Takes over what was decided on a fork of this draft.
    pub(crate) fn accept(&mut self, fork: Self) {
        self.image = fork.image;
        self.facts.extend(fork.facts);
    }

    /// The image and the facts, apart.
    pub(crate) fn into_parts(self) -> (Image, Vec<Fact>) {
        (self.image, self.facts)
    }
}
