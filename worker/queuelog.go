package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// queueLog passes on what Asynq and the pool say of the queue. While Redis is away
// they say the same thing many times a second: each message is passed on once in a while.
type queueLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	last map[string]time.Time
}

// repeatAfter is how long a message that was passed on is not passed on again; sameBytes is how much of it must be equal.
const (
	repeatAfter = 10 * time.Second
	sameBytes   = 24
	manyKinds   = 1000
)

func (l *queueLog) say(level slog.Level, text string, args ...any) {
	kind := text[:min(len(text), sameBytes)]
	l.mu.Lock()
	if l.last == nil || len(l.last) > manyKinds {
		l.last = map[string]time.Time{}
	}
	again := time.Since(l.last[kind]) < repeatAfter
	if !again {
		l.last[kind] = time.Now()
	}
	l.mu.Unlock()
	if !again {
		l.log.Log(context.Background(), level, text, append(args, "from", "queue")...)
	}
}

// problem passes on an error of the pool itself.
func (l *queueLog) problem(what string, err error) {
	l.say(slog.LevelWarn, what, "err", err)
}

// The logger of Asynq.
func (l *queueLog) Debug(args ...any) { l.say(slog.LevelDebug, fmt.Sprint(args...)) }
func (l *queueLog) Info(args ...any)  { l.say(slog.LevelDebug, fmt.Sprint(args...)) }
func (l *queueLog) Warn(args ...any)  { l.say(slog.LevelWarn, fmt.Sprint(args...)) }
func (l *queueLog) Error(args ...any) { l.say(slog.LevelWarn, fmt.Sprint(args...)) }
func (l *queueLog) Fatal(args ...any) { l.say(slog.LevelError, fmt.Sprint(args...)) }
