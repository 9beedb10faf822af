package static

import "time"

// warn writes a line for a human, unless there was one of that kind about that
// source a moment ago. It is called after the start.
func (s *Service) warn(kind, source, text string, args ...any) {
	ok, skipped := s.lines.Allow(kind, source, time.Now())
	if !ok {
		return
	}
	if skipped > 0 {
		args = append(args, "skipped", skipped)
	}
	s.env.Logger.Warn(text, args...)
}
