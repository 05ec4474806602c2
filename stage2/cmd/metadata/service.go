package main

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"os"
	"strings"

	"github.com/raket/raket/pkg/podmetadata"
)

// service answers requests for one pod.
type service struct {
	dir, token, uuid string
	key              []byte
	hostKey          []byte // nil: signatures of other pods cannot be verified
}

// response is what is answered.
type response struct {
	status      int
	contentType string
	allow       string // of 405
	body        string
}

const (
	asciiText = "text/plain; charset=us-ascii"
	jsonText  = "application/json"
)

// answer answers one request.
func (s *service) answer(r request) response {
	token, path, ok := strings.Cut(r.target[1:], "/")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
		return text(403, "the token in the URL is not this pod's")
	}
	path, _, _ = strings.Cut(path, "?")
	path, ok = strings.CutPrefix("/"+path, podmetadata.URLBase)
	if !ok {
		return text(404, "not found")
	}
	if op, is := strings.CutPrefix(path, podmetadata.Pod+"/hmac/"); is && (op == "sign" || op == "verify") {
		switch {
		case r.method != "POST":
			return response{status: 405, allow: "POST", contentType: asciiText, body: "want POST\n"}
		case !r.form:
			return text(415, "want application/x-www-form-urlencoded")
		case op == "sign":
			return s.sign(r.body)
		}
		return s.verify(r.body)
	}
	contentType, is := answerType(path)
	switch {
	case !is:
		return text(404, "not found")
	case r.method != "GET":
		return response{status: 405, allow: "GET", contentType: asciiText, body: "want GET\n"}
	}
	body, err := os.ReadFile(s.dir + "/" + path)
	if os.IsNotExist(err) {
		return text(404, "not found")
	}
	if err != nil {
		return text(500, "cannot be read")
	}
	return response{status: 200, contentType: contentType, body: string(body)}
}

// answerType is the media type of an answer that has a file, by its path in the API.
// No other path is opened.
func answerType(path string) (contentType string, ok bool) {
	kind, rest, _ := strings.Cut(path, "/")
	if kind == podmetadata.Apps {
		app, what, _ := strings.Cut(rest, "/")
		// Names of apps hold nothing that means something in a path.
		if app == "" || strings.Trim(app, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", false
		}
		kind, rest = kind+"/", what
	}
	switch kind + rest {
	case podmetadata.Pod + podmetadata.UUID, podmetadata.Apps + "/" + podmetadata.Image + "/" + podmetadata.ID:
		return asciiText, true
	case podmetadata.Pod + podmetadata.Annotations, podmetadata.Pod + podmetadata.Manifest,
		podmetadata.Apps + "/" + podmetadata.Annotations, podmetadata.Apps + "/" + podmetadata.Image + "/" + podmetadata.Manifest:
		return jsonText, true
	}
	return "", false
}

func (s *service) sign(form string) response {
	content, ok := formValue(form, "content")
	if !ok {
		return text(400, "the form has no content")
	}
	return response{status: 200, contentType: asciiText, body: base64.StdEncoding.EncodeToString(podmetadata.Sign(s.key, content))}
}

func (s *service) verify(form string) response {
	content, ok1 := formValue(form, "content")
	uuid, ok2 := formValue(form, "uuid")
	signature, ok3 := formValue(form, "signature")
	if !ok1 || !ok2 || !ok3 {
		return text(400, "the form lacks content, uuid or signature")
	}
	key := s.key
	switch {
	case uuid == s.uuid:
	case s.hostKey == nil:
		return text(501, "this pod can verify its own signatures only")
	default:
		key = podmetadata.PodKey(s.hostKey, uuid)
	}
	got, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(got, podmetadata.Sign(key, content)) {
		return text(403, "the signature is not that pod's")
	}
	return text(200, "OK")
}

func text(status int, body string) response {
	return response{status: status, contentType: asciiText, body: body + "\n"}
}
