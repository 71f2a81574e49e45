# Stands where mastodon-web stands: a Rack application on puma with a session cookie and /health.
require 'json'

class Web
  def call(env)
    case env['PATH_INFO']
    when '/health'
      [200, { 'Content-Type' => 'text/plain' }, ['OK']]
    when '/session'
      env['rack.session']['visits'] = env['rack.session']['visits'].to_i + 1
      json(visits: env['rack.session']['visits'])
    when '/media'
      json(service: 'web', length: env['rack.input'].read.bytesize)
    when '/sign_in'
      [302, { 'Location' => "#{env['HTTP_X_FORWARDED_PROTO']}://#{env['HTTP_HOST']}/home" }, []]
    else
      json(service: 'web', method: env['REQUEST_METHOD'], target: env['REQUEST_URI'], host: env['HTTP_HOST'],
           forwarded_for: env['HTTP_X_FORWARDED_FOR'], proto: env['HTTP_X_FORWARDED_PROTO'], proxy: env['HTTP_PROXY'])
    end
  end

  private

  def json(value)
    [200, { 'Content-Type' => 'application/json' }, [JSON.generate(value)]]
  end
end

use Rack::Session::Cookie, key: '_session', secret: 'for tests only, long enough for the signature of a session cookie'
run Web.new
