package codestream

import "fmt"

// Markers of T.800 Table A.2, and PRF and CPF of later editions.
const (
	markerSOC = 0xFF4F
	markerCAP = 0xFF50
	markerSIZ = 0xFF51
	markerCOD = 0xFF52
	markerCOC = 0xFF53
	markerTLM = 0xFF55
	markerPRF = 0xFF56
	markerPLM = 0xFF57
	markerPLT = 0xFF58
	markerCPF = 0xFF59
	markerQCD = 0xFF5C
	markerQCC = 0xFF5D
	markerRGN = 0xFF5E
	markerPOC = 0xFF5F
	markerPPM = 0xFF60
	markerPPT = 0xFF61
	markerCRG = 0xFF63
	markerCOM = 0xFF64
	markerSOT = 0xFF90
	markerSOP = 0xFF91
	markerEPH = 0xFF92
	markerSOD = 0xFF93
	markerEOC = 0xFFD9
)

// markerName is how an error calls a marker.
func markerName(m uint16) string {
	switch m {
	case markerSOC:
		return "SOC"
	case markerCAP:
		return "CAP"
	case markerSIZ:
		return "SIZ"
	case markerCOD:
		return "COD"
	case markerCOC:
		return "COC"
	case markerTLM:
		return "TLM"
	case markerPRF:
		return "PRF"
	case markerPLM:
		return "PLM"
	case markerPLT:
		return "PLT"
	case markerCPF:
		return "CPF"
	case markerQCD:
		return "QCD"
	case markerQCC:
		return "QCC"
	case markerRGN:
		return "RGN"
	case markerPOC:
		return "POC"
	case markerPPM:
		return "PPM"
	case markerPPT:
		return "PPT"
	case markerCRG:
		return "CRG"
	case markerCOM:
		return "COM"
	case markerSOT:
		return "SOT"
	case markerSOP:
		return "SOP"
	case markerEPH:
		return "EPH"
	case markerSOD:
		return "SOD"
	case markerEOC:
		return "EOC"
	}
	return fmt.Sprintf("marker %04X", m)
}
