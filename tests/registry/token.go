package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/raket/raket/tests/authority"
)

// TokenOptions say whom a token server knows and what they may do.
type TokenOptions struct {
	// Service is the name by which the registry is known to it. Default: "raket-tests".
	Service string
	// Users are those it knows: name to password.
	Users map[string]string
	// Allow decides about an action ("pull", "push", "*") on a repository; user is "" for
	// those who gave no name. Default: users may do everything, others nothing.
	Allow func(user, repository, action string) bool
	// TTL is how long tokens are good for; docker-registry refuses them then. Default: 5 min.
	TTL time.Duration
	// Authority has it speak HTTPS, with a certificate by it. Default: plain HTTP.
	Authority *authority.Authority
	// NoPOST has it answer 404 to OAuth2's form, as servers do that know only the older one.
	NoPOST bool
}

// TokenServer hands out the bearer tokens that a docker-registry asks for
// (distribution's docs/spec/auth: token.md, oauth.md, jwt.md).
type TokenServer struct {
	TokenOptions
	// Addr is its host:port.
	Addr string

	issuer string
	key    *ecdsa.PrivateKey
	chain  []string // x5c, base64 DER
	trust  []byte   // the PEM that the registry trusts
	server *http.Server

	mu      sync.Mutex
	log     []TokenRequest
	refresh map[string]string // token to user
}

// TokenRequest is what a client asked a token server.
type TokenRequest struct {
	// Method is GET or POST.
	Method string
	// Grant is OAuth2's grant_type, for POST.
	Grant string
	// User is who asked, "" where nobody said; a wrong password leaves the name.
	User   string
	Scopes []string
	Status int
}

// leeway is what docker-registry 2.8 forgives a token's times.
const leeway = time.Minute

// ServeTokens answers on l until Close; for a test host's loopback take testhost's Host.Listen.
func ServeTokens(l net.Listener, o TokenOptions) (*TokenServer, error) {
	if o.Service == "" {
		o.Service = "raket-tests"
	}
	if o.TTL == 0 {
		o.TTL = 5 * time.Minute
	}
	if o.Allow == nil {
		o.Allow = func(user, _, _ string) bool { return user != "" }
	}
	s := &TokenServer{TokenOptions: o, Addr: l.Addr().String(), issuer: "raket-tests-issuer", refresh: map[string]string{}}
	if err := s.makeKey(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the token server: %w", err), l.Close())
	}
	s.server = &http.Server{Handler: http.HandlerFunc(s.answer)}
	if o.Authority == nil {
		go s.server.Serve(l)
		return s, nil
	}
	config, err := o.Authority.ServerTLS()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the token server: %w", err), l.Close())
	}
	s.server.TLSConfig = config
	go s.server.ServeTLS(l, "", "")
	return s, nil
}

// LocalTokens is ServeTokens on a free port of this machine's loopback.
func LocalTokens(o TokenOptions) (*TokenServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the token server: %w", err)
	}
	return ServeTokens(l, o)
}

// Realm is the URL that clients ask.
func (s *TokenServer) Realm() string {
	scheme := "http"
	if s.Authority != nil {
		scheme = "https"
	}
	return scheme + "://" + s.Addr + "/token"
}

// RefreshToken makes one for a user, as "docker login" gets it for an identity token.
func (s *TokenServer) RefreshToken(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := "refresh-" + rand.Text()
	s.refresh[token] = user
	return token
}

// Requests returns what has been asked since the last Reset.
func (s *TokenServer) Requests() []TokenRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Reset forgets the requests so far.
func (s *TokenServer) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

// Close ends it and all its connections.
func (s *TokenServer) Close() error { return s.server.Close() }

func (s *TokenServer) answer(w http.ResponseWriter, r *http.Request) {
	asked := TokenRequest{Method: r.Method, Status: http.StatusOK}
	body, status := s.decide(r, &asked)
	asked.Status = status
	s.mu.Lock()
	s.log = append(s.log, asked)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusUnauthorized && r.Method == http.MethodGet {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`"`)
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// decide answers one request.
func (s *TokenServer) decide(r *http.Request, asked *TokenRequest) (body object, status int) {
	if r.URL.Path != "/token" {
		return object{"error": "not_found"}, http.StatusNotFound
	}
	var known, offline bool
	var service string
	switch r.Method {
	case http.MethodGet:
		q := r.URL.Query()
		service, asked.Scopes, offline = q.Get("service"), scopes(q["scope"]), q.Get("offline_token") == "true"
		name, password, given := r.BasicAuth()
		asked.User = name
		known = !given || s.knows(name, password)
	case http.MethodPost:
		if s.NoPOST {
			return object{"error": "not_found"}, http.StatusNotFound
		}
		r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
		if err := r.ParseForm(); err != nil || r.PostForm.Get("client_id") == "" {
			return object{"error": "invalid_request"}, http.StatusBadRequest
		}
		f := r.PostForm
		service, asked.Scopes, offline, asked.Grant = f.Get("service"), scopes(f["scope"]), f.Get("access_type") == "offline", f.Get("grant_type")
		switch asked.Grant {
		case "password":
			asked.User = f.Get("username")
			known = s.knows(asked.User, f.Get("password"))
		case "refresh_token":
			s.mu.Lock()
			asked.User, known = s.refresh[f.Get("refresh_token")]
			s.mu.Unlock()
		default:
			return object{"error": "unsupported_grant_type"}, http.StatusBadRequest
		}
	default:
		return object{"error": "invalid_request"}, http.StatusMethodNotAllowed
	}
	if !known {
		return object{"error": "invalid_grant", "details": "incorrect username or password"}, http.StatusUnauthorized
	}
	if service != s.Service {
		return object{"error": "invalid_request", "details": "no such service"}, http.StatusBadRequest
	}
	return s.grant(asked, offline)
}

func (s *TokenServer) knows(user, password string) bool {
	want, ok := s.Users[user]
	return ok && want == password
}

// grant makes a token with what of the scopes is allowed: maybe nothing, which is no error.
func (s *TokenServer) grant(asked *TokenRequest, offline bool) (object, int) {
	access := []object{}
	for _, scope := range asked.Scopes {
		kind, rest, _ := strings.Cut(scope, ":")
		// A repository may have a port in its name.
		i := strings.LastIndex(rest, ":")
		if i < 0 {
			continue
		}
		name, actions := rest[:i], []string{}
		for action := range strings.SplitSeq(rest[i+1:], ",") {
			if s.Allow(asked.User, name, action) {
				actions = append(actions, action)
			}
		}
		if len(actions) > 0 {
			access = append(access, object{"type": kind, "name": name, "actions": actions})
		}
	}
	now := time.Now()
	token, err := s.sign(object{
		"iss": s.issuer, "sub": asked.User, "aud": s.Service, "jti": rand.Text(), "access": access,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(s.TTL - leeway).Unix(),
	})
	if err != nil {
		return object{"error": err.Error()}, http.StatusInternalServerError
	}
	body := object{"access_token": token, "expires_in": int(s.TTL.Seconds()), "issued_at": now.UTC().Format(time.RFC3339)}
	if asked.Method == http.MethodGet {
		body["token"] = token
	} else {
		body["scope"] = strings.Join(asked.Scopes, " ")
	}
	if offline && asked.User != "" {
		body["refresh_token"] = s.RefreshToken(asked.User)
	}
	return body, http.StatusOK
}

// scopes are the scopes of repeated parameters, each of which may have several.
func scopes(values []string) []string { return strings.Fields(strings.Join(values, " ")) }

func (s *TokenServer) makeKey() (err error) {
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	issuer, err := authority.New()
	if err != nil {
		return err
	}
	der, err := issuer.Key(s.issuer, s.key.Public())
	if err != nil {
		return err
	}
	s.chain, s.trust = []string{base64Std(der)}, issuer.PEM()
	return nil
}
