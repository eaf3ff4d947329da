{{- define "oomtrace.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "oomtrace.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "oomtrace.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "oomtrace.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "oomtrace.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "oomtrace.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "oomtrace.selectorLabels" -}}
app.kubernetes.io/name: {{ include "oomtrace.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "oomtrace.labels" -}}
{{ include "oomtrace.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The node's names for what is mounted from it: /run/k3s is run-k3s. */}}
{{- define "oomtrace.volumeName" -}}
{{- . | trimPrefix "/" | replace "/" "-" | replace "." "-" | replace "_" "-" | lower | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* AppArmor's profile is a field since 1.30, and an annotation before. */}}
{{- define "oomtrace.hasAppArmorField" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}true{{ end }}
{{- end }}

{{- define "oomtrace.podAnnotations" -}}
{{- $own := dict }}
{{- $profile := .Values.leastPrivilege.appArmorProfile }}
{{- if and (not .Values.privileged) $profile (not (include "oomtrace.hasAppArmorField" .)) }}
{{- $_ := set $own "container.apparmor.security.beta.kubernetes.io/oomtrace" (ternary "unconfined" "runtime/default" (eq $profile "Unconfined")) }}
{{- end }}
{{- with merge (deepCopy .Values.podAnnotations) $own }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "oomtrace.probe" -}}
exec:
  command: ["/oomtrace", "health"]
{{ toYaml . }}
{{- end }}

{{/* What a capability is for. */}}
{{- define "oomtrace.capabilityReason" -}}
{{- $reasons := dict
  "BPF" "to load BPF programs and to make their maps"
  "PERFMON" "to let them read kernel memory, and to attach them"
  "SYS_PTRACE" "to read which programs other users' processes run (/proc/PID/exe)"
  "DAC_READ_SEARCH" "to read what runtimes keep in others' directories"
  "DAC_OVERRIDE" "to ask a runtime whose socket belongs to a user"
  "SYSLOG" "to read the names of kernel functions, without which most verdicts are `possible`"
  "IPC_LOCK" "to stay in memory while the machine runs out of it"
  "SYS_RESOURCE" "to make BPF maps before Linux 5.11, and to be the last to be chosen when the machine runs out of memory"
  "SYS_ADMIN" "to see who was connected to a runtime's socket before it started" }}
{{- get $reasons . | default "as the values say" }}
{{- end }}
