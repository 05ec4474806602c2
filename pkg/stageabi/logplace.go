package stageabi

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// LogPlace is where a started pod's output goes. Run leaves it in LogPlaceFile.
type LogPlace struct {
	Mode LogMode `json:"mode"`           // never LogAuto
	Unit string  `json:"unit,omitempty"` // of LogJournal: the host's unit
}

// LogPlaceFile, in a pod's directory, holds a LogPlace as JSON.
const LogPlaceFile = "log.json"

// ReadLogPlace reads the LogPlace of the pod in dir. The error wraps
// fs.ErrNotExist for a pod that was not started.
func ReadLogPlace(dir string) (LogPlace, error) {
	var l LogPlace
	err := readJSON(filepath.Join(dir, LogPlaceFile), &l)
	return l, err
}

// WriteLogPlace writes l for the pod in dir.
func WriteLogPlace(dir string, l LogPlace) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, LogPlaceFile), append(b, '\n'), 0o644)
}
