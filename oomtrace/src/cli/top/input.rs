//! The thread that reads keys.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use oomtrace::own::capabilities;
use oomtrace::screen::key::Key;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::shared::Shared;

/// Of the thread.
const STACK: usize = 256 << 10;

/// Starts it. What it opens is open when this returns: system calls are filtered soon after.
pub fn start(shared: Arc<Shared>) -> io::Result<()> {
    event::poll(Duration::ZERO)?;
    // No writer of the sink's kind: it opens the terminal to ask for its size, with which one that is confined by Landlock may do nothing.
    std::thread::Builder::new().name("keys".to_owned()).stack_size(STACK).spawn(move || {
        if let Err(error) = capabilities::reduce(&[]) {
            log::debug!("the thread that reads keys keeps its capabilities: {error}");
        }
        loop {
            match event::read() {
                Ok(Event::Key(pressed)) => {
                    if let Some(key) = key(&pressed) {
                        shared.key(key);
                    }
                }
                Ok(Event::Resize(..)) => shared.resized(),
                Ok(_) => {}
                // The terminal is gone.
                Err(error) => {
                    log::debug!("no key can be read: {error}");
                    return shared.leave(false);
                }
            }
        }
    })?;
    Ok(())
}

/// What a key means here; none where nothing.
fn key(pressed: &KeyEvent) -> Option<Key> {
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = pressed.modifiers.contains(KeyModifiers::CONTROL);
    Some(match pressed.code {
        KeyCode::Char(c) if is_control => match c {
            // As in pagers and editors.
            'd' | 'f' => Key::PageDown,
            'u' | 'b' => Key::PageUp,
            'n' => Key::Down,
            'p' => Key::Up,
            'h' => Key::Backspace,
            'm' | 'j' => Key::Enter,
            _ => return None,
        },
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Tab | KeyCode::BackTab => Key::Tab,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_they_are_elsewhere() {
        let control = KeyModifiers::CONTROL;
        let none = KeyModifiers::NONE;
        for (code, modifiers, expected) in [
            (KeyCode::Char('j'), none, Some(Key::Char('j'))),
            (KeyCode::Char('G'), KeyModifiers::SHIFT, Some(Key::Char('G'))),
            (KeyCode::Char('d'), control, Some(Key::PageDown)),
            (KeyCode::Char('x'), control, None),
            (KeyCode::PageUp, none, Some(Key::PageUp)),
            (KeyCode::BackTab, KeyModifiers::SHIFT, Some(Key::Tab)),
            (KeyCode::Enter, none, Some(Key::Enter)),
            (KeyCode::F(1), none, None),
        ] {
            assert_eq!(key(&KeyEvent::new(code, modifiers)), expected, "{code:?}");
        }
        let released = KeyEvent::new_with_kind(KeyCode::Enter, none, KeyEventKind::Release);
        assert_eq!(key(&released), None);
    }
}
