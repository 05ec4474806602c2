package functional

import "time"

// limit is how long a condition may take to hold; it is reached only when a test fails.
const limit = time.Minute
