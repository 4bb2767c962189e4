package servers

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// OrthancServer is an archive with DICOMweb that belongs to one test. It begins empty. It has no TLS: that of Debian 12 crashes at the first handshake.
type OrthancServer struct {
	URL string // of DICOMweb

	t    testing.TB
	rest string // URL of its own interface
	http *http.Client
	p    *process
}

// Orthanc starts an Orthanc with its DICOMweb plugin, and stops it at the test's end.
func Orthanc(t testing.TB) *OrthancServer {
	t.Helper()
	program, err := exec.LookPath("Orthanc")
	if err != nil {
		program = "/usr/sbin/Orthanc"
	}
	plugins, _ := filepath.Glob("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
	if _, err := os.Stat(program); err != nil || len(plugins) == 0 {
		t.Skipf("%s: Orthanc with DICOMweb is not installed; ./scripts/test installs it (Debian package orthanc-dicomweb)", t.Name())
	}
	dir, port, name := t.TempDir(), freePort(t), rand.Text()
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + net.JoinHostPort("127.0.0.1", port)
	s := &OrthancServer{t: t, http: &http.Client{Timeout: patience}}
	settings := map[string]any{
		"Name": name, "StorageDirectory": filepath.Join(dir, "db"), "IndexDirectory": filepath.Join(dir, "db"), "HttpPort": number, "DicomServerEnabled": false,
		"RemoteAccessAllowed": false, "AuthenticationEnabled": false, "OverwriteInstances": true, "Plugins": plugins,
		"DicomWeb": map[string]any{"Enable": true, "Root": "/dicom-web/"},
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s.rest, s.URL = address, address+"/dicom-web"
	s.p = &process{program: program, dir: dir, args: []string{file}}
	t.Cleanup(func() { s.p.end(syscall.SIGKILL) })
	if err := s.p.start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	err = await("Orthanc answers", func() error {
		if ended = !s.p.running(); ended {
			return nil
		}
		var system struct{ Name string }
		if err := s.do(http.MethodGet, "/system", nil, &system); err != nil {
			return err
		}
		if system.Name != name { // another server has taken the port
			return fmt.Errorf("it is %q", system.Name)
		}
		return nil
	})
	if err != nil || ended {
		t.Fatalf("Orthanc on %s: %v, ended %v; the end of its log:\n%s", address, err, ended, s.p.logEnd())
	}
	return s
}

// Stop ends the server.
func (s *OrthancServer) Stop() { s.p.end(syscall.SIGTERM) }

// Store puts a DICOM file into the archive; one of the same instance is replaced.
func (s *OrthancServer) Store(file []byte) {
	s.t.Helper()
	if err := s.do(http.MethodPost, "/instances", file, nil); err != nil {
		s.t.Fatal(err)
	}
}

// Delete removes an instance from the archive.
func (s *OrthancServer) Delete(sop string) {
	s.t.Helper()
	var found []struct{ ID, Type string }
	if err := s.do(http.MethodPost, "/tools/lookup", []byte(sop), &found); err != nil {
		s.t.Fatal(err)
	}
	for _, x := range found {
		if x.Type == "Instance" {
			if err := s.do(http.MethodDelete, "/instances/"+x.ID, nil, nil); err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
	s.t.Fatalf("Orthanc has no instance %s", sop)
}

// do sends a request to Orthanc's own interface, and reads its JSON.
func (s *OrthancServer) do(method, path string, body []byte, into any) error {
	req, err := http.NewRequest(method, s.rest+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	reply, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	raw, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("Orthanc: %s %s: status %d", method, path, reply.StatusCode)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	return err
}
