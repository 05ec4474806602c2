package main

import "time"

const (
	// queueLimit is how much may wait for one receiver before the app has to.
	queueLimit = 256 << 10
	// patience is how long the app waits for one receiver.
	patience = 2 * time.Second
	// missedLimit bounds what is kept while nobody is attached.
	missedLimit = 64 << 10
)

// queue is output on its way to one receiver.
type queue struct {
	items [][]byte
	bytes int
	// full is since when the app may be waiting for the receiver; zero if it does not.
	full time.Time
	// lagging: it had its time. What comes is counted in lost, until the queue is empty.
	lagging bool
	lost    uint64
}

// add takes b, which is the queue's from then on; of b, payload bytes are the app's.
func (q *queue) add(b []byte, payload int, now time.Time) {
	if q.lagging {
		q.lost += uint64(payload)
		return
	}
	q.items = append(q.items, b)
	q.bytes += len(b)
	if q.bytes >= queueLimit && q.full.IsZero() {
		q.full = now
	}
}

// took notes that n bytes of the first item have gone.
func (q *queue) took(n int) {
	q.bytes -= n
	if n == len(q.items[0]) {
		q.items[0] = nil
		q.items = q.items[1:]
	} else {
		q.items[0] = q.items[0][n:]
	}
	if q.bytes < queueLimit/2 {
		q.full = time.Time{}
	}
}

// blocks reports whether the app has to wait for the receiver.
func (q *queue) blocks() bool { return !q.lagging && q.bytes >= queueLimit }

// expire ends the app's patience if it is time, and returns how long it lasts
// otherwise; negative for ever.
func (q *queue) expire(now time.Time) time.Duration {
	if q.lagging || q.full.IsZero() {
		return -1
	}
	left := patience - now.Sub(q.full)
	if left <= 0 {
		q.lagging, q.full = true, time.Time{}
		return -1
	}
	return left
}

// caughtUp reports, once, how much an empty queue has lost.
func (q *queue) caughtUp() (lost uint64, ok bool) {
	if !q.lagging || len(q.items) > 0 {
		return 0, false
	}
	lost, q.lost, q.lagging = q.lost, 0, false
	return lost, true
}
