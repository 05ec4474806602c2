package credentials

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/raket/raket/stage0/config"
)

const (
	awsService       = "s3"
	awsDefaultRegion = "us-east-1"
	// awsEmptyPayload is the SHA-256 of nothing.
	awsEmptyPayload  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	awsPayloadHeader = "X-Amz-Content-Sha256"
)

// sign signs a request to S3 by Amazon's signature version 4. It covers the
// request's headers, so that it comes last.
func (f *Finder) sign(req *http.Request, auth config.HostAuth) error {
	if req.Body != nil && req.Body != http.NoBody {
		return errors.New("sign a request for S3: it has a body")
	}
	region := auth.Region
	if region == "" {
		region = awsRegion(req.URL.Hostname())
	}
	req.Header.Set(awsPayloadHeader, awsEmptyPayload)
	keys := aws.Credentials{AccessKeyID: auth.AccessKeyID, SecretAccessKey: string(auth.SecretAccessKey)}
	// S3 takes the path as it is sent.
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return signer.SignHTTP(req.Context(), keys, req, awsEmptyPayload, awsService, region, f.o.Now())
}

// awsRegion is the region that a host's name tells, as in
// BUCKET.s3.REGION.amazonaws.com and BUCKET.s3-REGION.amazonaws.com, or the one
// that Amazon takes for names without.
func awsRegion(host string) string {
	host, ok := strings.CutSuffix(strings.ToLower(host), ".amazonaws.com")
	if !ok {
		if host, ok = strings.CutSuffix(host, ".amazonaws.com.cn"); !ok {
			return awsDefaultRegion
		}
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	if last == "s3" || last == "s3-accelerate" || last == "s3-external-1" {
		return awsDefaultRegion
	}
	if region, ok := strings.CutPrefix(last, "s3-"); ok {
		return region
	}
	if slices.Contains(labels[:len(labels)-1], "s3") {
		return last
	}
	return awsDefaultRegion
}
