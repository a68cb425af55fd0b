"""The browser pages' building blocks: widgets, jobs and charts on screen. No torch here."""
