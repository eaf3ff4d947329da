//! A map that forgets its oldest entries: what is remembered about processes must not grow with them.

use std::collections::{HashMap, VecDeque};

use crate::event::ProcessKey;

/// The latest entries of a map.
#[derive(Debug)]
pub struct Recent<T> {
    pub(super) entries: HashMap<ProcessKey, T>,
    pub(super) order: VecDeque<ProcessKey>,
    capacity: usize,
}

impl<T> Recent<T> {
    pub fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), capacity }
    }

    pub fn get(&self, key: &ProcessKey) -> Option<&T> {
        self.entries.get(key)
    }

    pub fn insert(&mut self, key: ProcessKey, value: T) {
        if self.entries.insert(key, value).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }
}
